#pragma once
// Turns a picture that is drawn in place into frames that others keep for as long as they like.

#include <array>
#include <memory>

#include "engine/device/display/frame.h"

namespace engine {

class FramePublisher {
public:
    explicit FramePublisher(FrameMailbox& mailbox) : mailbox_(mailbox) { }

    // `picture` holds width * height pixels, of which `damage` changed since the last call. The frame gets the damage of every
    // frame before it that nobody fetched as well. Machine thread.
    void publish(const std::vector<u32>& picture, u32 width, u32 height, Rectangle damage);

private:
    struct Slot {
        std::shared_ptr<Frame> frame;
        Rectangle stale;    // where `frame` differs from the picture
    };
    Slot& free_slot();

    FrameMailbox& mailbox_;
    std::array<Slot, 3> slots_;
    Rectangle unseen_;
    u64 number_ = 0;
};

// The smallest rectangle around both.
Rectangle united(const Rectangle& a, const Rectangle& b);

}
