// The map from the disk to the file: L1 and L2 tables. The lock is held.

#include <algorithm>
#include <cerrno>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/block/qcow2/image.h"

namespace engine::qcow2 {

int Image::damaged(std::string why)
{
    refcounts_.damage = std::move(why);
    return damaged_image;
}

Image::Entry Image::decode(u64 entry) const
{
    if (entry & l2_compressed) {
        const unsigned split = 62 - (header_.cluster_bits - 8);
        const u64 host = bits(entry, 0, split), more_sectors = bits(entry, split, 62 - split);
        return {Kind::compressed, host, (more_sectors + 1) * 512 - host % 512};
    }
    const u64 host = entry & offset_bits;
    if (header_.version >= 3 && entry & l2_reads_as_zero)
        return {Kind::zero, host, 0};
    return {host ? Kind::data : Kind::absent, host, 0};
}

int Image::l2_table(u64 l1_index, std::shared_ptr<Table>& table)
{
    table.reset();
    const u64 offset = l1_index < l1_.size() ? l1_[l1_index] & offset_bits : 0;
    if (offset == 0)
        return 0;
    if (offset % header_.cluster_size() || offset >= largest_file)
        return damaged(text("L2 table ", l1_index, " lies at an impossible place"));
    return l2_.get(offset, table);
}

int Image::map(u64 offset, u64 most, Mapping& mapping)
{
    const u64 cluster = header_.cluster_size();
    const u64 within = offset % header_.l2_reach();
    most = std::min(most, header_.l2_reach() - within);
    std::shared_ptr<Table> table;
    if (const int error_number = l2_table(offset / header_.l2_reach(), table))
        return error_number;
    mapping = {{}, most, false, {}};
    if (!table) {
        mapping.below = backing_;
        return 0;
    }
    const bool own_table = l1_[offset / header_.l2_reach()] & copied;
    u64 index = within >> header_.cluster_bits;
    const u64 first = load_be<u64>(&table->bytes[8 * index]);
    mapping.entry = decode(first);
    if (mapping.entry.kind == Kind::absent)
        mapping.below = backing_;
    mapping.writable = mapping.entry.kind == Kind::data && first & copied && own_table;
    if (mapping.entry.kind == Kind::data && mapping.entry.host % cluster)
        return damaged(text("the cluster for byte ", offset, " lies at an impossible place"));
    if (mapping.writable && refcounts_.is_protected(mapping.entry.host))
        return damaged(text("the cluster for byte ", offset, " is said to lie among the image's tables"));
    u64 length = cluster - offset % cluster;
    for (++index; length < most && mapping.entry.kind != Kind::compressed; ++index, length += cluster) {
        const u64 raw = load_be<u64>(&table->bytes[8 * index]);
        const Entry next = decode(raw);
        if (next.kind != mapping.entry.kind)
            break;
        const u64 expected = mapping.entry.host + length + offset % cluster;
        if (next.kind == Kind::data
            && (next.host != expected || (raw & copied && own_table) != mapping.writable
                || (mapping.writable && refcounts_.is_protected(next.host))))
            break;
    }
    mapping.length = std::min(length, most);
    if (mapping.entry.kind == Kind::data)
        mapping.entry.host += offset % cluster;
    return 0;
}

// A table of our own: made where there is none, copied where a snapshot has a part in it.
int Image::l2_table_to_change(u64 l1_index, std::shared_ptr<Table>& table)
{
    std::shared_ptr<Table> old;
    if (const int error_number = l2_table(l1_index, old))
        return error_number;
    if (old && l1_[l1_index] & copied) {
        table = std::move(old);
        return 0;
    }
    Refcounts::Run run;
    if (const int error_number = refcounts_.allocate(1, true, run))
        return error_number;
    table = l2_.add(run.offset);
    if (old) {
        table->bytes = old->bytes;
        refcounts_.give_up(l1_[l1_index] & offset_bits, 1);
    }
    l1_[l1_index] = run.offset | copied;
    l1_dirty_from_ = std::min(l1_dirty_from_, l1_index);
    l1_dirty_to_ = std::max(l1_dirty_to_, l1_index + 1);
    refcounts_.protect(run.offset, 1);
    return 0;
}

int Image::give_up(const Entry& entry)
{
    if (entry.kind == Kind::absent || (entry.kind == Kind::zero && !entry.host))
        return 0;
    const u64 first = entry.host >> header_.cluster_bits;
    const u64 last = (entry.host + std::max<u64>(entry.length, 1) - 1) >> header_.cluster_bits;
    for (u64 cluster = first; cluster <= last; ++cluster)
        if (refcounts_.is_protected(cluster << header_.cluster_bits))
            return damaged(text("cluster ", cluster, " is used for data and for a table"));
    refcounts_.give_up(first << header_.cluster_bits, last - first + 1);
    return 0;
}

// For `clusters` clusters, all described by one L2 table: the first becomes first_entry, each next one `step` more.
int Image::set_entries(u64 offset, u64 clusters, u64 first_entry, u64 step)
{
    std::shared_ptr<Table> table;
    if (const int error_number = l2_table_to_change(offset / header_.l2_reach(), table))
        return error_number;
    const u64 index = offset % header_.l2_reach() >> header_.cluster_bits;
    for (u64 n = 0; n < clusters; ++n) {
        u8* entry = &table->bytes[8 * (index + n)];
        if (const int error_number = give_up(decode(load_be<u64>(entry))))
            return error_number;
        l2_.touch(*table, 8 * (index + n), 8);
        store_be(entry, first_entry + n * step);
    }
    return 0;
}

}
