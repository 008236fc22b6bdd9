#include "engine/block/vhdx/vhdx_log.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>

#include "engine/base/bits.h"
#include "engine/base/crc32c.h"
#include "engine/base/text.h"

namespace engine {

namespace {

constexpr u64 sector = 4096, mebibyte = 1024 * 1024;
constexpr u64 largest_log = 64 * mebibyte;    // programs make it 1 MiB long
constexpr u64 most_summed = 16;    // times the log's length, before it is given up as one that was made to cost time
constexpr u64 largest_file = u64(1) << 62;
// 2.3.1.1: the header of an entry; 2.3.1.2 and 2.3.1.3: its descriptors.
constexpr u64 entry_header_bytes = 64, descriptor_bytes = 32;

using Sector = std::array<u8, sector>;

// A stretch of the file by where it begins; zeroes where it has no sector.
struct Change {
    u64 end = 0;
    std::shared_ptr<const Sector> bytes{};
};
using Changes = std::map<u64, Change>;    // that don't overlap

void change(Changes& changes, u64 begin, Change with)
{
    auto at = changes.upper_bound(begin);
    if (at != changes.begin() && std::prev(at)->second.end > begin)
        --at;
    // Only zeroes are longer than a sector, so that what is cut keeps its meaning.
    while (at != changes.end() && at->first < with.end) {
        const auto [old_begin, old] = *at;
        at = changes.erase(at);
        if (old_begin < begin)
            changes.emplace(old_begin, Change{begin, old.bytes});
        if (old.end > with.end)
            at = changes.emplace(with.end, old).first;
    }
    changes.emplace(begin, std::move(with));
}

class ReplayedFile final : public ImageFile {
public:
    ReplayedFile(std::unique_ptr<ImageFile> file, Changes changes, u64 size)
        : file_(std::move(file)),
          changes_(std::move(changes)),
          size_(size)
    {
    }

    int read(u64 offset, std::span<const iovec> to) override
    {
        if (const int error_number = file_->read(offset, to))
            return error_number;
        for (const iovec& part : to) {
            lay_over(offset, {static_cast<u8*>(part.iov_base), part.iov_len});
            offset += part.iov_len;
        }
        return 0;
    }
    int write(u64, std::span<const iovec>) override { return EROFS; }
    int flush() override { return 0; }
    int punch(u64, u64) override { return EROFS; }
    int resize(u64) override { return EROFS; }
    u64 size() override { return size_; }
    u64 bytes_on_disk() override { return file_->bytes_on_disk(); }

private:
    void lay_over(u64 offset, std::span<u8> to) const
    {
        auto at = changes_.upper_bound(offset);
        if (at != changes_.begin())
            --at;
        for (; at != changes_.end() && at->first < offset + to.size(); ++at) {
            const u64 begin = std::max(at->first, offset), end = std::min(at->second.end, offset + to.size());
            if (begin >= end)
                continue;
            const auto part = to.subspan(begin - offset, end - begin);
            if (at->second.bytes)
                std::memcpy(part.data(), at->second.bytes->data() + (begin - at->first), part.size());
            else
                std::memset(part.data(), 0, part.size());
        }
    }

    std::unique_ptr<ImageFile> file_;
    Changes changes_;
    u64 size_;
};

struct Entry {
    u64 offset = 0, length = 0;    // in the log
    u64 tail = 0;    // where the oldest entry that still counts begins
    u64 number = 0;
    u64 flushed_size = 0, last_size = 0;    // bytes of the file
};
using Entries = std::vector<Entry>;

class Log {
public:
    Log(std::vector<u8> bytes, const VhdxGuid& guid) : bytes_(std::move(bytes)), guid_(guid) { }

    // 2.3.2: the newest sequence of entries that is complete; empty where there is none.
    Result<Entries> active();
    Result<void> apply(const Entry& entry, Changes& changes) const;

private:
    std::optional<Entry> entry_at(u64 offset);
    Entries sequence_at(u64 offset);
    std::vector<u8> copy(u64 offset, u64 length) const;

    std::vector<u8> bytes_;
    VhdxGuid guid_;
    u64 summed_ = 0;    // bytes
};

// The log is a ring.
std::vector<u8> Log::copy(u64 offset, u64 length) const
{
    std::vector<u8> part(length);
    const u64 first = std::min<u64>(length, bytes_.size() - offset);
    std::copy_n(bytes_.begin() + std::ptrdiff_t(offset), first, part.begin());
    std::copy_n(bytes_.begin(), length - first, part.begin() + std::ptrdiff_t(first));
    return part;
}

std::optional<Entry> Log::entry_at(u64 offset)
{
    const u8* const header = bytes_.data() + offset;
    if (std::memcmp(header, "loge", 4) != 0 || !std::equal(guid_.begin(), guid_.end(), header + 32))
        return std::nullopt;
    const Entry entry{
        offset,
        load_le<u32>(header + 8),
        load_le<u32>(header + 12),
        load_le<u64>(header + 16),
        load_le<u64>(header + 48),
        load_le<u64>(header + 56)};
    if (entry.length == 0 || entry.length % sector || entry.length > bytes_.size() || entry.tail % sector
        || entry.tail >= bytes_.size() || entry.number == 0)
        return std::nullopt;
    summed_ += entry.length;
    if (summed_ > most_summed * bytes_.size())
        return std::nullopt;
    std::vector<u8> whole = copy(offset, entry.length);
    const u32 wanted = load_le<u32>(&whole[4]);
    store_le(&whole[4], u32(0));
    return crc32c(whole) == wanted ? std::optional(entry) : std::nullopt;
}

Entries Log::sequence_at(u64 offset)
{
    Entries entries;
    for (u64 total = 0; total < bytes_.size();) {
        const auto next = entry_at((offset + total) % bytes_.size());
        if (!next || (!entries.empty() && next->number != entries.back().number + 1) || next->length > bytes_.size() - total)
            break;
        total += next->length;
        entries.push_back(*next);
    }
    return entries;
}

Result<Entries> Log::active()
{
    Entries newest;
    for (u64 offset = 0; offset < bytes_.size();) {
        Entries found = sequence_at(offset);
        u64 length = sector;
        if (!found.empty()) {
            length = 0;
            for (const Entry& entry : found)
                length += entry.length;
        }
        // What is to be replayed begins where the last entry says, which has to be in the sequence.
        const u64 tail = found.empty() ? 0 : found.back().tail;
        const auto first = std::ranges::find_if(found, [&](const Entry& entry) { return entry.offset == tail; });
        if (first != found.end() && (newest.empty() || found.back().number > newest.back().number))
            newest.assign(first, found.end());
        else if (!found.empty() && first == found.end())
            length = sector;
        offset += length;
    }
    if (summed_ > most_summed * bytes_.size())
        return Error{"its log contradicts itself", "", ""};
    if (newest.empty())
        return Error{"it was not closed in order, and its log is damaged", "", ""};
    return newest;
}

Result<void> Log::apply(const Entry& entry, Changes& changes) const
{
    const Error contradiction{text("entry ", entry.number, " of its log contradicts itself"), "", ""};
    const std::vector<u8> bytes = copy(entry.offset, entry.length);
    const u64 count = load_le<u32>(&bytes[24]);
    u64 data = (entry_header_bytes + count * descriptor_bytes + sector - 1) / sector * sector;
    if (data > bytes.size())
        return contradiction;
    for (u64 at = entry_header_bytes, n = 0; n < count; ++n, at += descriptor_bytes) {
        const u8* const descriptor = &bytes[at];
        const u64 offset = load_le<u64>(descriptor + 16), number = load_le<u64>(descriptor + 24);
        const u64 middle = load_le<u64>(descriptor + 8);    // the first 8 bytes of the sector, or how many zeroes
        if (number != entry.number || offset % sector || offset >= largest_file)
            return contradiction;
        if (std::memcmp(descriptor, "zero", 4) == 0) {
            if (middle % sector || middle >= largest_file)
                return contradiction;
            if (middle)
                change(changes, offset, {offset + middle});
            continue;
        }
        // 2.3.1.4: the sector's number stands in its place, in two parts; the descriptor keeps what that hides.
        if (std::memcmp(descriptor, "desc", 4) != 0 || data + sector > bytes.size() || std::memcmp(&bytes[data], "data", 4) != 0
            || load_le<u32>(&bytes[data + 4]) != number >> 32 || load_le<u32>(&bytes[data + sector - 4]) != u32(number))
            return contradiction;
        auto whole = std::make_shared<Sector>();
        std::memcpy(whole->data(), &bytes[data], sector);
        std::memcpy(whole->data(), descriptor + 8, 8);
        std::memcpy(whole->data() + sector - 4, descriptor + 4, 4);
        change(changes, offset, {offset + sector, std::move(whole)});
        data += sector;
    }
    return {};
}

}

Result<std::unique_ptr<ImageFile>> with_log_replayed(std::unique_ptr<ImageFile> file, const VhdxLogPlace& log)
{
    const u64 end = file->size();
    if (log.length == 0 || log.length % mebibyte || log.offset % mebibyte || log.offset > end || log.length > end - log.offset)
        return Error{"its log lies beyond its end", "", ""};
    if (log.length > largest_log)
        return Error{text("its log is ", log.length, " bytes long"), "", ""};
    std::vector<u8> bytes(log.length);
    if (const int error_number = file->read(log.offset, bytes))
        return Error{"its log can't be read: " + system_error_text(error_number), "", ""};
    Log ring(std::move(bytes), log.guid);
    const auto entries = ring.active();
    if (!entries)
        return entries.error();
    Changes changes;
    for (const Entry& entry : entries.value())
        if (auto applied = ring.apply(entry, changes); !applied)
            return applied.error();
    const Entry& last = entries.value().back();
    if (end < last.flushed_size)
        return Error{"it is shorter than its log says", "", ""};
    if (last.last_size >= largest_file)
        return Error{"its log contradicts itself", "", ""};
    const u64 size = std::max(end, last.last_size);
    return std::unique_ptr<ImageFile>(std::make_unique<ReplayedFile>(std::move(file), std::move(changes), size));
}

}
