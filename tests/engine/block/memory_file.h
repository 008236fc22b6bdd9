#pragma once
// An image's file in memory that notes all that is done to it, and fails when it is told to.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <mutex>
#include <random>

#include "engine/block/image_file.h"

class MemoryFile : public engine::ImageFile {
public:
    enum class Call : engine::u8 { read, write, flush, punch, resize };
    struct Event {
        Call call = Call::write;
        engine::u64 offset = 0;
        engine::u64 length = 0;    // punch: bytes; resize: the new size
        std::vector<engine::u8> bytes{};    // write
    };

    MemoryFile() = default;
    explicit MemoryFile(std::vector<engine::u8> bytes) : bytes_(std::move(bytes)) { }

    int read(engine::u64 offset, std::span<const iovec> to) override
    {
        const std::lock_guard lock(mutex_);
        if (const int error_number = fails(Call::read))
            return error_number;
        for (const iovec& part : to) {
            if (part.iov_len == 0)
                continue;
            const engine::u64 there = offset >= bytes_.size() ? 0 : std::min<engine::u64>(part.iov_len, bytes_.size() - offset);
            if (there)
                std::memcpy(part.iov_base, bytes_.data() + offset, there);
            std::memset(static_cast<engine::u8*>(part.iov_base) + there, 0, part.iov_len - there);
            offset += part.iov_len;
        }
        return 0;
    }
    int write(engine::u64 offset, std::span<const iovec> from) override
    {
        const std::lock_guard lock(mutex_);
        Event event{.call = Call::write, .offset = offset};
        for (const iovec& part : from) {
            const auto* bytes = static_cast<const engine::u8*>(part.iov_base);
            event.bytes.insert(event.bytes.end(), bytes, bytes + part.iov_len);
        }
        // A write that fails may have been carried out in part.
        const bool too_far = offset > limit || event.bytes.size() > limit - offset;
        const int error_number = too_far ? EFBIG : fails(Call::write);
        if (too_far)
            return error_number;
        if (error_number)
            event.bytes.resize(random_() % (event.bytes.size() / 512 + 1) * 512);
        apply(bytes_, event);
        if (recording)
            events.push_back(std::move(event));
        return error_number;
    }
    int flush() override { return note({.call = Call::flush}); }
    int punch(engine::u64 offset, engine::u64 length) override
    {
        return note({.call = Call::punch, .offset = offset, .length = length});
    }
    int resize(engine::u64 size) override { return size > limit ? EFBIG : note({.call = Call::resize, .length = size}); }
    engine::u64 size() override
    {
        const std::lock_guard lock(mutex_);
        return bytes_.size();
    }

    static void apply(std::vector<engine::u8>& to, const Event& event)
    {
        if (event.call == Call::write && !event.bytes.empty()) {
            to.resize(std::max<std::size_t>(to.size(), event.offset + event.bytes.size()));
            std::ranges::copy(event.bytes, to.begin() + std::ptrdiff_t(event.offset));
        } else if (event.call == Call::punch && event.offset < to.size()) {
            const auto length = std::min<engine::u64>(event.length, to.size() - event.offset);
            std::fill_n(to.begin() + std::ptrdiff_t(event.offset), length, engine::u8(0));
        } else if (event.call == Call::resize) {
            to.resize(event.length);
        }
    }

    // Asked at each call: an error number, or 0.
    std::function<int(Call, engine::u64 number)> fail;
    engine::u64 calls = 0;
    engine::u64 limit = engine::u64(1) << 40;    // bytes; what lies beyond fails with EFBIG
    bool recording = false;
    std::vector<Event> events;
    std::vector<engine::u8> bytes() const { return bytes_; }

private:
    int fails(Call call) { return fail ? fail(call, calls++) : 0; }
    int note(Event event)
    {
        const std::lock_guard lock(mutex_);
        if (const int error_number = fails(event.call))
            return error_number;
        apply(bytes_, event);
        if (recording)
            events.push_back(std::move(event));
        return 0;
    }

    std::mutex mutex_;
    std::vector<engine::u8> bytes_;
    std::mt19937_64 random_{1};
};

// The same file for several owners.
class SharedFile : public engine::ImageFile {
public:
    explicit SharedFile(std::shared_ptr<MemoryFile> file) : file_(std::move(file)) { }
    int read(engine::u64 offset, std::span<const iovec> to) override { return file_->read(offset, to); }
    int write(engine::u64 offset, std::span<const iovec> from) override { return file_->write(offset, from); }
    int flush() override { return file_->flush(); }
    int punch(engine::u64 offset, engine::u64 length) override { return file_->punch(offset, length); }
    int resize(engine::u64 size) override { return file_->resize(size); }
    engine::u64 size() override { return file_->size(); }

private:
    std::shared_ptr<MemoryFile> file_;
};
