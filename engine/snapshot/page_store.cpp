#include "engine/snapshot/page_store.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/bits.h"
#include "engine/base/read_file.h"
#include "engine/base/text.h"
#include "engine/snapshot/compression.h"
#include "engine/snapshot/container.h"
#include "engine/base/crc32c.h"

namespace engine {

namespace {

constexpr std::array<u8, 8> magic{0x89, 'P', 'a', 'd', 'P', 'a', 'g', 'e'};
constexpr u32 segment_version = 1;
constexpr std::size_t segment_header = 48, id_at = 16, id_size = 16, header_checksum_at = 32;
constexpr FourCc chunk_magic = four_cc("CHNK");
constexpr std::size_t chunk_header = 16, checksum_at = 12;
constexpr u8 flag_stored = 1;
constexpr int level = 1;
constexpr u64 furthest_offset = (u64(1) << 40) * chunk_alignment;

std::array<u8, segment_header> header_of(const std::string& id)
{
    std::array<u8, segment_header> bytes{};
    std::ranges::copy(magic, bytes.begin());
    store_le<u32>(&bytes[8], segment_version);
    std::ranges::copy(id.substr(0, id_size), bytes.begin() + id_at);
    store_le<u32>(&bytes[header_checksum_at], crc32c(std::span(bytes).first(header_checksum_at)));
    return bytes;
}

struct stat status_of(int file)
{
    struct stat status { };
    (void)::fstat(file, &status);
    return status;
}

// A chunk's header as it stands in the file; `pages` 0 where there is none.
struct ChunkHeader {
    unsigned pages = 0;
    u8 flags = 0;
    u32 stored = 0;
    std::array<u8, chunk_header> bytes{};
};

ChunkHeader read_header(int file, u64 offset)
{
    ChunkHeader header;
    if (!read_file(file, offset, header.bytes) || load_le<u32>(header.bytes.data()) != chunk_magic)
        return {};
    header.pages = header.bytes[4];
    header.flags = header.bytes[5];
    header.stored = load_le<u32>(&header.bytes[8]);
    const bool possible = header.pages >= 1 && header.pages <= pages_in_chunk && header.stored >= 1
        && header.stored <= header.pages * page_size && load_le<u16>(&header.bytes[6]) == 0;
    if (!possible)
        header.pages = 0;
    return header;
}

u64 fold(u64 a, u64 b)
{
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return u64(product) ^ u64(product >> 64);
}

}

// Good enough to find equal pages, and not meant to withstand one who looks for collisions.
u64 page_hash(const u8* page)
{
    constexpr std::array<u64, 4> odd{0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0xd6e8feb86659fd93};
    std::array<u64, 4> lanes = odd;
    for (std::size_t at = 0; at < page_size; at += 64)
        for (std::size_t lane = 0; lane < 4; ++lane) {
            const u64 a = load_le<u64>(page + at + 16 * lane), b = load_le<u64>(page + at + 16 * lane + 8);
            lanes[lane] = fold(a ^ lanes[lane], b ^ odd[lane]);
        }
    return fold(lanes[0] ^ odd[1], lanes[1] ^ odd[2]) ^ fold(lanes[2] ^ odd[3], lanes[3] ^ odd[0]);
}

bool is_zero_page(const u8* page)
{
    return load_le<u64>(page) == 0 && std::memcmp(page, page + 8, page_size - 8) == 0;
}

std::string PageStore::path(const std::string& id) const
{
    return text(directory_, "/", id, ".pages");
}

Result<u32> PageStore::segment_number(const std::string& id)
{
    const std::lock_guard lock(mutex_);
    if (const auto found = numbers_.find(id); found != numbers_.end())
        return found->second;
    if (segments_.size() >= most_segments)
        return Error{"There are too many snapshots", "Their memory lies in too many files", "Delete some of them"};
    segments_.push_back({id, {}, false});
    return numbers_[id] = u32(segments_.size() - 1);
}

std::string PageStore::segment_id(u32 number) const
{
    const std::lock_guard lock(mutex_);
    return number < segments_.size() ? segments_[number].id : std::string();
}

std::shared_ptr<const FileDescriptor> PageStore::file_of(u32 number)
{
    const std::lock_guard lock(mutex_);
    if (number >= segments_.size())
        return {};
    Segment& segment = segments_[number];
    if (!segment.file && !std::exchange(segment.tried, true)) {
        FileDescriptor file{::open(path(segment.id).c_str(), O_RDONLY | O_CLOEXEC)};
        std::array<u8, segment_header> header{};
        if (file.valid() && read_file(file.get(), 0, header) && header == header_of(segment.id)) {
            segment.changed = status_of(file.get()).st_ctim;
            segment.file = std::make_shared<FileDescriptor>(std::move(file));
        }
    }
    return segment.file;
}

// Somebody may have freed what no snapshot needed, in this process or another. Pages that lay there must be written again.
void PageStore::forget_freed()
{
    std::vector<u32> freed;
    {
        const std::lock_guard lock(mutex_);
        for (u32 number = 0; number < segments_.size(); ++number) {
            Segment& segment = segments_[number];
            if (!segment.file)
                continue;
            const struct stat now = status_of(segment.file->get());
            const bool same = now.st_ctim.tv_sec == segment.changed.tv_sec && now.st_ctim.tv_nsec == segment.changed.tv_nsec;
            if (now.st_nlink > 0 && same)
                continue;
            freed.push_back(number);
            segment.changed = now.st_ctim;
            // The host's room is free only when nobody holds the file.
            if (now.st_nlink == 0)
                segment.file.reset();
        }
    }
    for (const u32 number : freed)
        forget(number);
}

void PageStore::forget(u32 segment)
{
    std::erase_if(by_hash_, [&](const auto& entry) { return segment_of(entry.second) == segment; });
    std::erase_if(learnt_, [&](const PageRef chunk) { return segment_of(chunk) == segment; });
    const std::lock_guard lock(mutex_);
    std::erase_if(cache_, [&](const auto& entry) { return segment_of(entry.first) == segment; });
    std::erase_if(cached_, [&](const PageRef chunk) { return segment_of(chunk) == segment; });
}

Result<std::shared_ptr<const Chunk>> PageStore::read(PageRef ref)
{
    const PageRef chunk = chunk_of(ref);
    std::shared_ptr<const Chunk> content;
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = cache_.find(chunk); found != cache_.end())
            content = found->second;
    }
    if (!content) {
        auto loaded = load(chunk);
        if (!loaded)
            return loaded.error();
        content = std::move(*loaded);
        const std::lock_guard lock(mutex_);
        if (cache_.emplace(chunk, content).second)
            cached_.push_back(chunk);
        if (cached_.size() > most_cached) {
            cache_.erase(cached_.front());
            cached_.pop_front();
        }
    }
    if (slot_of(ref) >= content->count)
        return damaged(path(segment_id(segment_of(ref))), "A page of memory is named that it does not hold");
    return content;
}

Result<std::shared_ptr<const Chunk>> PageStore::load(PageRef ref)
{
    const std::string name = path(segment_id(segment_of(ref)));
    const auto segment = file_of(segment_of(ref));
    if (!segment)
        return damaged(name, "The file is missing, or is no memory of a snapshot");
    const int file = segment->get();
    const ChunkHeader header = read_header(file, offset_of(ref));
    if (!header.pages)
        return damaged(name, "It is damaged: a page of memory is not where it should be");
    std::vector<u8> whole(chunk_header + 8 * header.pages + header.stored);
    if (!read_file(file, offset_of(ref), whole))
        return damaged(name, "It ends too early, or can't be read");
    const u32 checksum = load_le<u32>(&whole[checksum_at]);
    store_le<u32>(&whole[checksum_at], 0);
    if (checksum != crc32c(whole))
        return damaged(name, "It is damaged: a checksum of a page of memory is wrong");
    auto chunk = std::make_shared<Chunk>();
    chunk->count = header.pages;
    std::memcpy(chunk->hashes.data(), &whole[chunk_header], 8 * header.pages);
    chunk->pages.resize(header.pages * page_size);
    const auto stored = std::span<const u8>(whole).subspan(chunk_header + 8 * header.pages);
    if (header.flags & flag_stored && stored.size() == chunk->pages.size())
        std::ranges::copy(stored, chunk->pages.begin());
    else if (header.flags & flag_stored || !decompress(stored, chunk->pages))
        return damaged(name, "A page of memory can't be unpacked");
    return std::shared_ptr<const Chunk>(std::move(chunk));
}

u64 PageStore::chunk_length(PageRef ref)
{
    const auto file = file_of(segment_of(ref));
    const ChunkHeader header = file ? read_header(file->get(), offset_of(ref)) : ChunkHeader{};
    return header.pages ? round_up(chunk_header + 8 * header.pages + header.stored, chunk_alignment) : 0;
}

Result<void> PageStore::begin(const std::string& id)
{
    const auto number = segment_number(id);
    if (!number)
        return number.error();
    forget_freed();
    auto writing = std::make_unique<Writing>();
    writing->id = id;
    writing->number = number.value();
    writing->file = FileDescriptor{::open(path(id).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
    if (!writing->file.valid())
        return Error{
            text("The snapshot can't be written to ", directory_), system_error_text(errno), "Make room, or put it right there"};
    writing->chunk.pages.reserve(pages_in_chunk * page_size);
    writing_ = std::move(writing);
    last_.reset();
    return write_at_end(header_of(id));
}

Result<void> PageStore::write_at_end(std::span<const u8> bytes)
{
    while (!bytes.empty()) {
        const ssize_t count = ::pwrite(writing_->file.get(), bytes.data(), bytes.size(), off_t(writing_->end));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return Error{
                text("The snapshot can't be written to ", directory_), system_error_text(count < 0 ? errno : ENOSPC),
                "Make room on the disk, then take it again"};
        bytes = bytes.subspan(std::size_t(count));
        writing_->end += u64(count);
    }
    return {};
}

const u8* PageStore::content(PageRef ref, std::shared_ptr<const Chunk>& holder)
{
    if (segment_of(ref) == writing_->number && offset_of(ref) == writing_->end)
        return writing_->chunk.page(slot_of(ref));
    // What this segment holds already is read like any other.
    auto chunk = read(ref);
    if (!chunk)
        return nullptr;
    holder = std::move(*chunk);
    return holder->page(slot_of(ref));
}

Result<PageRef> PageStore::add(const u8* page)
{
    if (is_zero_page(page))
        return PageRef(0);
    const u64 hash = page_hash(page);
    const auto known = by_hash_.find(hash);
    if (known != by_hash_.end()) {
        std::shared_ptr<const Chunk> holder;
        const u8* const other = content(known->second, holder);
        if (other && std::memcmp(other, page, page_size) == 0)
            return known->second;
    }
    Chunk& chunk = writing_->chunk;
    const PageRef ref = make_ref(writing_->number, writing_->end, chunk.count);
    chunk.hashes[chunk.count++] = hash;
    chunk.pages.insert(chunk.pages.end(), page, page + page_size);
    by_hash_[hash] = ref;
    if (chunk.count == pages_in_chunk)
        if (auto written = write_chunk(); !written)
            return written.error();
    return ref;
}

void PageStore::learn(PageRef ref)
{
    if (!ref || !learnt_.insert(chunk_of(ref)).second)
        return;
    const auto file = file_of(segment_of(ref));
    const ChunkHeader header = file ? read_header(file->get(), offset_of(ref)) : ChunkHeader{};
    std::array<u8, 8 * pages_in_chunk> hashes{};
    if (!header.pages || !read_file(file->get(), offset_of(ref) + chunk_header, std::span(hashes).first(8 * header.pages)))
        return;
    for (unsigned slot = 0; slot < header.pages; ++slot)
        by_hash_.emplace(load_le<u64>(&hashes[8 * slot]), chunk_of(ref) | slot);
}

Result<void> PageStore::write_chunk()
{
    Chunk& chunk = writing_->chunk;
    if (!chunk.count)
        return {};
    if (writing_->end >= furthest_offset - (u64(1) << 20))
        return Error{
            "The snapshot can't be written", "It holds more memory than the format has room for", "Give the machine less"};
    const std::vector<u8> packed = compress(chunk.pages, level);
    const std::span<const u8> stored = packed.empty() ? std::span<const u8>(chunk.pages) : std::span<const u8>(packed);
    std::vector<u8> whole(chunk_header + 8 * chunk.count);
    store_le<u32>(whole.data(), chunk_magic);
    whole[4] = u8(chunk.count);
    whole[5] = packed.empty() ? flag_stored : 0;
    store_le<u32>(&whole[8], u32(stored.size()));
    std::memcpy(&whole[chunk_header], chunk.hashes.data(), 8 * chunk.count);
    whole.insert(whole.end(), stored.begin(), stored.end());
    store_le<u32>(&whole[checksum_at], crc32c(whole));
    whole.resize(round_up(whole.size(), chunk_alignment));
    chunk.count = 0;
    chunk.pages.clear();
    return write_at_end(whole);
}

Result<u64> PageStore::finish()
{
    if (auto written = write_chunk(); !written)
        return written.error();
    if (::fdatasync(writing_->file.get()) != 0)
        return Error{
            text("The snapshot can't be written to ", directory_), system_error_text(errno),
            "Make room on the disk, then take it again"};
    const u64 bytes = writing_->end;
    {
        const std::lock_guard lock(mutex_);
        Segment& segment = segments_[writing_->number];
        segment.changed = status_of(writing_->file.get()).st_ctim;
        segment.file = std::make_shared<FileDescriptor>(std::move(writing_->file));
    }
    last_ = writing_->number;
    writing_.reset();
    return bytes;
}

void PageStore::abandon()
{
    if (writing_)
        last_ = writing_->number;
    writing_.reset();
    if (!last_)
        return;
    const u32 number = *std::exchange(last_, std::nullopt);
    ::unlink(path(segment_id(number)).c_str());
    {
        const std::lock_guard lock(mutex_);
        segments_[number].file = {};
        segments_[number].tried = true;
    }
    forget(number);
}

}
