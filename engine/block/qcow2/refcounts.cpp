#include "engine/block/qcow2/refcounts.h"

#include <algorithm>
#include <cerrno>

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine::qcow2 {

namespace {
constexpr u64 block_cache_bytes = 4 << 20;
constexpr u64 block_offset_bits = ~u64(511);
constexpr u64 most_probes = 1 << 22;    // clusters beyond the file's end that may be counted as used
}

Refcounts::Refcounts(ImageFile& file, Header& header)
    : file_(file),
      header_(header),
      blocks_(file, header.cluster_size(), block_cache_bytes)
{
}

int Refcounts::damaged(std::string why)
{
    damage = std::move(why);
    return damaged_image;
}

int Refcounts::load()
{
    const u64 begin = header_.refcount_table_offset, wanted = u64(header_.refcount_table_clusters) << header_.cluster_bits;
    std::vector<u8> bytes(round_up(file_.present(begin, wanted), 8));
    if (const int error_number = file_.read(begin, bytes))
        return error_number;
    table_.assign(wanted / 8, 0);
    for (std::size_t n = 0; n < bytes.size() / 8; ++n)
        table_[n] = load_be<u64>(&bytes[8 * n]);
    file_clusters_ = known_zeroes_ = round_up(file_.size(), header_.cluster_size()) >> header_.cluster_bits;
    protect(0, 1);
    protect(header_.refcount_table_offset, header_.refcount_table_clusters);
    for (const u64 entry : table_)
        if (entry & block_offset_bits)
            protect(entry & block_offset_bits, 1);
    return 0;
}

void Refcounts::protect(u64 offset, u64 clusters)
{
    for (u64 n = 0; n < clusters; ++n)
        protected_.insert((offset >> header_.cluster_bits) + n);
}

void Refcounts::unprotect(u64 offset, u64 clusters)
{
    for (u64 n = 0; n < clusters; ++n)
        protected_.erase((offset >> header_.cluster_bits) + n);
}

u64 Refcounts::load_count(const Table& block, u64 index) const
{
    const u8* bytes = block.bytes.data();
    switch (header_.refcount_order) {
    case 3:
        return bytes[index];
    case 4:
        return load_be<u16>(bytes + 2 * index);
    case 5:
        return load_be<u32>(bytes + 4 * index);
    case 6:
        return load_be<u64>(bytes + 8 * index);
    default: {
        const unsigned width = 1u << header_.refcount_order;
        return bits(bytes[index * width / 8], unsigned(index * width % 8), width);
    }
    }
}

void Refcounts::store_count(Table& block, u64 index, u64 count)
{
    u8* bytes = block.bytes.data();
    const unsigned width = 1u << header_.refcount_order;
    switch (header_.refcount_order) {
    case 3:
        bytes[index] = u8(count);
        break;
    case 4:
        store_be(bytes + 2 * index, u16(count));
        break;
    case 5:
        store_be(bytes + 4 * index, u32(count));
        break;
    case 6:
        store_be(bytes + 8 * index, count);
        break;
    default: {
        u8& byte = bytes[index * width / 8];
        const unsigned shift = unsigned(index * width % 8);
        byte = u8((byte & ~(low_mask(width) << shift)) | count << shift);
    }
    }
    blocks_.touch(block, index * width / 8, std::max(width / 8, 1u));
}

// `block` is null where there is none and none is to be made: all its counts are 0.
int Refcounts::block_of(u64 cluster, bool make, std::shared_ptr<Table>& block)
{
    const u64 index = cluster / header_.refcounts_per_block();
    block.reset();
    if (!has_block(cluster)) {
        if (!make)
            return 0;
        if (const int error_number = make_block(index))
            return error_number;
    }
    const u64 offset = table_[index] & block_offset_bits;
    if (offset % header_.cluster_size() || offset >= largest_file)
        return damaged(text("refcount block ", index, " lies at an impossible place"));
    return blocks_.get(offset, block);
}

bool Refcounts::has_block(u64 cluster) const
{
    const u64 index = cluster / header_.refcounts_per_block();
    return index < table_.size() && table_[index] & block_offset_bits;
}

// A block lies in the first of the clusters that it counts: all of them are free as long as there is no block.
int Refcounts::make_block(u64 index)
{
    if (index >= table_.size())
        if (const int error_number = grow_table(index + 1))
            return error_number;
    // The place of the longer table has made this block, as a rule.
    if (table_[index] & block_offset_bits)
        return 0;
    const u64 cluster = append_only_ ? hint_++ : index * header_.refcounts_per_block();
    if (protected_.contains(cluster))
        return damaged(text("cluster ", cluster, " is in use and not counted"));
    table_[index] = cluster << header_.cluster_bits;
    table_dirty_from_ = std::min(table_dirty_from_, index);
    table_dirty_to_ = std::max(table_dirty_to_, index + 1);
    blocks_.add(table_[index]);
    protect(table_[index], 1);
    return set(cluster, 1);
}

// What has no block is free: the place behind all that is counted, however long it is asked to be.
Refcounts::Stretch Refcounts::behind_all(u64 clusters) const
{
    const u64 per_block = header_.refcounts_per_block();
    u64 blocks = table_.size();
    while (blocks > 0 && !(table_[blocks - 1] & block_offset_bits))
        --blocks;
    Stretch place{std::max(blocks * per_block, append_only_ ? hint_ : 0), clusters, 1};
    while (place.end() > (place.begin / per_block + place.blocks) * per_block)
        ++place.blocks;
    return place;
}

// Counts the clusters of a stretch and of its blocks, which lie behind them.
int Refcounts::take(const Stretch& place)
{
    const u64 first = place.begin / header_.refcounts_per_block();
    for (u64 cluster = place.begin; cluster < place.end(); ++cluster)
        if (protected_.contains(cluster))
            return damaged(text("cluster ", cluster, " is in use and not counted"));
    for (u64 n = 0; n < place.blocks; ++n) {
        table_[first + n] = (place.begin + place.clusters + n) << header_.cluster_bits;
        blocks_.add(table_[first + n]);
        protect(table_[first + n], 1);
    }
    table_dirty_from_ = std::min(table_dirty_from_, first);
    table_dirty_to_ = std::max(table_dirty_to_, first + place.blocks);
    hint_ = append_only_ ? place.end() : hint_;
    for (u64 cluster = place.begin; cluster < place.end(); ++cluster)
        if (const int error_number = set(cluster, 1))
            return error_number;
    return 0;
}

// The larger table is a table in memory at once; write_metadata() moves it.
int Refcounts::grow_table(u64 entries)
{
    const u64 per_cluster = header_.cluster_size() / 8, per_block = header_.refcounts_per_block();
    Stretch place;
    u64 wanted = std::max(entries, table_.size() + table_.size() / 2);
    do {
        wanted = round_up(wanted, per_cluster);
        if (wanted * 8 > largest_refcount_table)
            return EFBIG;
        place = behind_all(wanted / per_cluster);
    } while (wanted < (place.end() - 1) / per_block + 1 && ++wanted);
    if (place.end() > largest_file >> header_.cluster_bits)
        return EFBIG;
    const u64 old_offset = header_.refcount_table_offset, old_clusters = header_.refcount_table_clusters;
    const std::size_t entries_before = table_.size();
    table_.resize(wanted);
    if (const int error_number = take(place)) {
        table_.resize(entries_before);    // the file has no room for more
        return error_number;
    }
    header_.refcount_table_offset = place.begin << header_.cluster_bits;
    header_.refcount_table_clusters = u32(place.clusters);
    protect(header_.refcount_table_offset, place.clusters);
    unprotect(old_offset, old_clusters);
    give_up(old_offset, old_clusters);
    table_moved_ = true;
    return 0;
}

// More clusters in one piece than lie between two blocks that are made where they are needed.
int Refcounts::allocate_behind_all(u64 clusters, Run& run)
{
    for (;;) {
        const Stretch place = behind_all(clusters);
        const u64 entries = (place.end() - 1) / header_.refcounts_per_block() + 1;
        if (entries > table_.size()) {
            if (const int error_number = grow_table(entries))
                return error_number;
            continue;
        }
        run = {place.begin << header_.cluster_bits, clusters};
        return take(place);
    }
}

int Refcounts::get(u64 cluster, u64& count)
{
    std::shared_ptr<Table> block;
    if (const int error_number = block_of(cluster, false, block))
        return error_number;
    count = block ? load_count(*block, cluster % header_.refcounts_per_block()) : 0;
    return 0;
}

int Refcounts::set(u64 cluster, u64 count)
{
    if (count > low_mask(1u << header_.refcount_order))
        return damaged(text("cluster ", cluster, " is used too often"));
    std::shared_ptr<Table> block;
    if (const int error_number = block_of(cluster, true, block))
        return error_number;
    store_count(*block, cluster % header_.refcounts_per_block(), count);
    return 0;
}

int Refcounts::find_free(u64 most, bool whole, Run& run)
{
    const u64 start = hint_;
    u64 begin = start, length = 0;
    bool first = true;
    std::shared_ptr<Table> block;
    for (u64 cluster = start;; ++cluster) {
        if (cluster >= largest_file >> header_.cluster_bits)
            return EFBIG;
        if (cluster - start > file_clusters_ + most_probes)
            return damaged("its refcounts count more clusters than the file has");
        // Makes the block that will count the cluster, which then is the first in use. A longer table may be made with it.
        const bool next_block = !block || cluster % header_.refcounts_per_block() == 0;
        if (next_block && length > 0 && !has_block(cluster)) {
            if (!whole)
                break;
            length = 0;
        }
        if (const int error_number = next_block ? block_of(cluster, true, block) : 0)
            return error_number;
        if (load_count(*block, cluster % header_.refcounts_per_block()) == 0) {
            if (protected_.contains(cluster))
                return damaged(text("cluster ", cluster, " is in use and counted as free"));
            if (first)
                hint_ = cluster;
            first = false;
            if (length++ == 0)
                begin = cluster;
            if (length == most)
                break;
        } else if (length > 0 && !whole) {
            break;
        } else {
            length = 0;
        }
    }
    run = {begin << header_.cluster_bits, length};
    return 0;
}

int Refcounts::allocate(u64 most, bool whole, Run& run)
{
    if (whole && most >= header_.refcounts_per_block())
        return allocate_behind_all(most, run);
    if (const int error_number = find_free(most, whole, run))
        return error_number;
    const u64 first = run.offset >> header_.cluster_bits;
    for (u64 n = 0; n < run.clusters; ++n)
        if (const int error_number = set(first + n, 1))
            return error_number;
    if (hint_ == first)
        hint_ = first + run.clusters;
    return 0;
}

void Refcounts::take_back(const Run& run)
{
    const u64 first = run.offset >> header_.cluster_bits;
    known_zeroes_ = std::max(known_zeroes_, first + run.clusters);
    for (u64 n = 0; n < run.clusters; ++n)
        if (set(first + n, 0) != 0)
            return;    // a leak, which does no harm
    hint_ = std::min(hint_, first);
}

void Refcounts::give_up(u64 offset, u64 clusters)
{
    for (u64 n = 0; n < clusters; ++n)
        given_up_.push_back((offset >> header_.cluster_bits) + n);
}

Patch Refcounts::take_table()
{
    const u64 from = table_moved_ ? 0 : table_dirty_from_ / 64 * 64;
    const u64 to = table_moved_ ? table_.size() : std::min<u64>(round_up(table_dirty_to_, 64), table_.size());
    Patch patch{header_.refcount_table_offset + 8 * from, std::vector<u8>(8 * (to - from)), {}};
    for (u64 n = from; n < to; ++n)
        store_be(&patch.bytes[8 * (n - from)], table_[n]);
    table_dirty_from_ = ~u64(0);
    table_dirty_to_ = 0;
    table_moved_ = false;
    return patch;
}

void Refcounts::table_written(const Patch& patch, bool moved, bool success)
{
    if (success)
        return;
    // Moved again since then or not: the whole table has to be written.
    table_moved_ |= moved;
    const u64 from
        = moved || patch.offset < header_.refcount_table_offset ? 0 : (patch.offset - header_.refcount_table_offset) / 8;
    table_dirty_from_ = std::min(table_dirty_from_, from);
    table_dirty_to_ = std::max(table_dirty_to_, std::min<u64>(from + patch.bytes.size() / 8, table_.size()));
}

std::vector<u64> Refcounts::take_given_up()
{
    std::vector<u64> taken;
    taken.swap(given_up_);
    std::ranges::sort(taken);
    return taken;
}

void Refcounts::put_back_given_up(std::vector<u64> clusters)
{
    given_up_.insert(given_up_.end(), clusters.begin(), clusters.end());
}

int Refcounts::last_uses(const std::vector<u64>& clusters, std::vector<u64>& last)
{
    for (std::size_t n = 0; n < clusters.size();) {
        std::size_t end = n;
        while (end < clusters.size() && clusters[end] == clusters[n])
            ++end;
        u64 count = 0;
        if (const int error_number = get(clusters[n], count))
            return error_number;
        if (count != 0 && count <= end - n)
            last.push_back(clusters[n]);
        n = end;
    }
    return 0;
}

int Refcounts::drop_uses(const std::vector<u64>& clusters)
{
    for (const u64 cluster : clusters) {
        u64 count = 0;
        if (const int error_number = get(cluster, count))
            return error_number;
        if (count == 0)
            return damaged(text("cluster ", cluster, " was in use and counted as free"));
        if (const int error_number = set(cluster, count - 1))
            return error_number;
        if (count > 1)
            continue;
        hint_ = std::min(hint_, cluster);
        known_zeroes_ = std::max(known_zeroes_, cluster + 1);
        unprotect(cluster << header_.cluster_bits, 1);
    }
    return 0;
}

}
