#pragma once
// A disk image as the commands of `qemu-io` see it: any bytes, not whole sectors only. Everything waits for what it asks.

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "engine/block/disk_image.h"

struct ImageChoice {
    std::string path, format;    // "qcow2", "raw"
    bool read_only = false;
    bool temporary = false;    // writes go into an overlay that is thrown away
};

class IoImage {
public:
    static engine::Result<std::unique_ptr<IoImage>> open(const ImageChoice& choice);
    ~IoImage();

    engine::u64 size() const { return disk_->size(); }
    bool read_only() const { return disk_->read_only(); }
    const ImageChoice& choice() const { return choice_; }
    std::string_view format() const { return disk_->top()->format(); }
    bool within(engine::u64 offset, engine::u64 length) const { return length <= size() && offset <= size() - length; }

    engine::BlockResult read(engine::u64 offset, std::span<engine::u8> to);
    engine::BlockResult write(engine::u64 offset, std::span<const engine::u8> from, bool durable);
    engine::BlockResult zero(engine::u64 offset, engine::u64 length);
    engine::BlockResult discard(engine::u64 offset, engine::u64 length);
    engine::BlockResult flush();
    engine::Result<void> resize(engine::u64 size);

    // Nothing where the image can't be asked for that.
    std::optional<engine::BlockResult> write_compressed(engine::u64 offset, std::span<const engine::u8> from);

    // For how many bytes from `offset` on the answer is the same: whether this layer says what they are.
    engine::u64 allocated(engine::u64 offset, engine::u64 most, bool& own) const;

    // Begins, and says later how it went. `memory` lives until then; offset and length are whole sectors.
    void begin(engine::BlockRequest request, engine::BlockDevice::Completion done);

private:
    IoImage() = default;
    engine::Result<void> open_layers();
    engine::BlockResult wait(engine::BlockRequest request);

    ImageChoice choice_;
    std::string scratch_;    // folder of the temporary overlay
    std::unique_ptr<engine::WorkerPool> workers_;
    std::unique_ptr<engine::DiskImage> disk_;
};
