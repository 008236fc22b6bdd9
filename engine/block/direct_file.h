#pragma once
// A file of the host that is read and written past the host's cache (open(2), O_DIRECT): what the disk wants in whole blocks
// at aligned places of memory may be asked for in any bytes here.
//
// Blocks that are written in part are read first, and no other write to them is under way meanwhile.

#include "engine/block/image_file.h"
#include "engine/block/range_locks.h"

namespace engine {

class DirectFile final : public ImageFile {
public:
    // `file` reads and writes past the cache, whole blocks of `block` bytes (a power of two) alone, from memory at multiples of
    // `memory`.
    DirectFile(std::unique_ptr<ImageFile> file, u64 block, u64 memory)
        : file_(std::move(file)),
          block_(block),
          memory_(memory) { }

    int read(u64 offset, std::span<const iovec> to) override;
    int write(u64 offset, std::span<const iovec> from) override;
    int descriptor(u64 offset, std::span<const iovec> to) override
    {
        return fits(offset, to) ? file_->descriptor(offset, to) : -1;
    }
    bool past_cache() const override { return true; }
    Direct way_to_write(u64 offset, std::span<const iovec> from) override;
    int flush() override { return file_->flush(); }
    int punch(u64 offset, u64 length) override { return file_->punch(offset, length); }
    int resize(u64 size) override;
    u64 size() override { return file_->size(); }
    Stretch next_data(u64 offset) override { return file_->next_data(offset); }
    u64 bytes_on_disk() override { return file_->bytes_on_disk(); }
    void share() override { file_->share(); }

private:
    bool fits(u64 offset, std::span<const iovec> parts) const;
    int write_by_buffer(u64 offset, std::span<const iovec> from, u64 length);
    u64 first_block(u64 offset) const { return offset / block_; }
    u64 last_block(u64 offset, u64 length) const { return (offset + std::max<u64>(length, 1) - 1) / block_; }

    std::unique_ptr<ImageFile> file_;
    u64 block_, memory_;
    RangeLocks blocks_;    // alone: they are written in part, or the size changes
};

}
