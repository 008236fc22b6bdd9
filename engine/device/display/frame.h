#pragma once
// What goes up from a display device to whoever shows it.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/types.h"

namespace engine {

struct Rectangle {
    u32 x = 0, y = 0, width = 0, height = 0;
    bool empty() const { return width == 0 || height == 0; }
    bool operator==(const Rectangle&) const = default;
};

// The whole picture, 0xffRRGGBB, rows without gaps. `damage` is what changed since the picture before; it grows when
// the reader was too slow to see that one.
struct Frame {
    u64 number = 0;
    u32 width = 0, height = 0;
    Rectangle damage;
    std::vector<u32> pixels;
};

// Text as the guest shows it: rows joined by '\n', trailing blanks removed, code page 437 turned to UTF-8.
struct ScreenText {
    std::string rows;
    bool from_glyphs = false;    // recognised in a graphics mode rather than read from a text buffer
};

// Holds only the latest frame. Any thread.
class FrameMailbox {
public:
    void put(std::shared_ptr<const Frame> frame)
    {
        const std::lock_guard lock(mutex_);
        latest_ = std::move(frame);
        fetched_ = false;
    }
    std::shared_ptr<const Frame> latest() const
    {
        const std::lock_guard lock(mutex_);
        fetched_ = true;
        return latest_;
    }
    // The same for a reader that doesn't care for damage: it leaves the frame unfetched for the one who does.
    std::shared_ptr<const Frame> peek() const
    {
        const std::lock_guard lock(mutex_);
        return latest_;
    }
    // Whether anybody looked at the frame put last. With several readers, one that finds a gap in Frame::number redraws all.
    bool fetched() const
    {
        const std::lock_guard lock(mutex_);
        return fetched_;
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const Frame> latest_;
    mutable bool fetched_ = true;
};

}
