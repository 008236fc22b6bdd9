#include "engine/block/direct_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "engine/base/bits.h"

namespace engine {

namespace {

constexpr u64 most_at_once = 1 << 20;    // bytes that go through a buffer at a time

u64 sum_of(std::span<const iovec> parts)
{
    u64 sum = 0;
    for (const iovec& part : parts)
        sum += part.iov_len;
    return sum;
}

struct Free {
    void operator()(u8* bytes) const { std::free(bytes); }    // NOLINT(cppcoreguidelines-no-malloc)
};
using Buffer = std::unique_ptr<u8, Free>;

Buffer aligned(u64 alignment, u64 length)
{
    return Buffer(static_cast<u8*>(std::aligned_alloc(alignment, round_up(length, alignment))));
}

enum class Way : u8 { gather, scatter };

// Copies `length` bytes between `bytes` and the parts, from `skip` bytes into them on.
void move(Way way, std::span<const iovec> parts, u64 skip, u8* bytes, u64 length)
{
    for (const iovec& part : parts) {
        if (skip >= part.iov_len) {
            skip -= part.iov_len;
            continue;
        }
        const u64 here = std::min<u64>(part.iov_len - skip, length);
        u8* const outside = static_cast<u8*>(part.iov_base) + skip;
        way == Way::gather ? std::memcpy(bytes, outside, here) : std::memcpy(outside, bytes, here);
        bytes += here;
        length -= here;
        skip = 0;
        if (length == 0)
            return;
    }
}

}

bool DirectFile::fits(u64 offset, std::span<const iovec> parts) const
{
    return offset % block_ == 0 && std::ranges::all_of(parts, [this](const iovec& part) {
               return part.iov_len % block_ == 0 && reinterpret_cast<std::uintptr_t>(part.iov_base) % memory_ == 0;
           });
}

int DirectFile::read(u64 offset, std::span<const iovec> to)
{
    if (fits(offset, to))
        return file_->read(offset, to);
    const u64 length = sum_of(to), alignment = std::max(block_, memory_);
    const Buffer buffer = aligned(alignment, std::min(length, most_at_once) + 2 * block_);
    if (!buffer)
        return ENOMEM;
    for (u64 done = 0; done < length;) {
        const u64 part = std::min(length - done, most_at_once), from = (offset + done) / block_ * block_;
        const u64 end = round_up(offset + done + part, block_);
        if (const int error_number = file_->ImageFile::read(from, std::span(buffer.get(), end - from)))
            return error_number;
        move(Way::scatter, to, done, buffer.get() + (offset + done - from), part);
        done += part;
    }
    return 0;
}

int DirectFile::write(u64 offset, std::span<const iovec> from)
{
    if (fits(offset, from)) {
        const RangeLocks::Guard guard(blocks_, first_block(offset), last_block(offset, sum_of(from)), RangeLocks::Use::shared);
        return file_->write(offset, from);
    }
    return write_by_buffer(offset, from, sum_of(from));
}

ImageFile::Direct DirectFile::way_to_write(u64 offset, std::span<const iovec> from)
{
    if (!fits(offset, from))
        return {};
    const u64 last = last_block(offset, sum_of(from));
    const std::shared_ptr<RangeLocks::Guard> guard(
        new RangeLocks::Guard(RangeLocks::Guard::attempt(blocks_, first_block(offset), last, RangeLocks::Use::shared)));
    return *guard ? Direct{file_->descriptor(offset, from), guard} : Direct{};
}

int DirectFile::write_by_buffer(u64 offset, std::span<const iovec> from, u64 length)
{
    const Buffer buffer = aligned(std::max(block_, memory_), std::min(length, most_at_once) + 2 * block_);
    if (!buffer)
        return ENOMEM;
    const bool in_part = offset % block_ || length % block_;
    // Who makes the file longer by a part of a block cuts it afterwards; nobody may write behind it meanwhile.
    const bool cuts = in_part && round_up(offset + length, block_) > file_->size();
    const RangeLocks::Guard guard(
        blocks_, first_block(offset), cuts ? ~u64(0) : last_block(offset, length),
        in_part ? RangeLocks::Use::alone : RangeLocks::Use::shared);
    const u64 size = std::max(file_->size(), offset + length);
    for (u64 done = 0; done < length;) {
        const u64 part = std::min(length - done, most_at_once), begin = (offset + done) / block_ * block_;
        const u64 end = round_up(offset + done + part, block_);
        const auto blocks = std::span(buffer.get(), end - begin);
        const auto first = blocks.first(block_), last = blocks.last(block_);
        int error_number = 0;
        if ((offset + done) % block_)
            error_number = file_->ImageFile::read(begin, first);
        if (!error_number && (offset + done + part) % block_ && (last.data() != first.data() || (offset + done) % block_ == 0))
            error_number = file_->ImageFile::read(end - block_, last);
        if (error_number)
            return error_number;
        move(Way::gather, from, done, buffer.get() + (offset + done - begin), part);
        if (const int failed = file_->ImageFile::write(begin, blocks))
            return failed;
        done += part;
    }
    // The file's last block may be cut short, and stays so.
    return cuts && file_->size() > size ? file_->resize(size) : 0;
}

int DirectFile::resize(u64 size)
{
    const RangeLocks::Guard guard(blocks_, 0, ~u64(0), RangeLocks::Use::alone);
    return file_->resize(size);
}

}
