// What is done to an image while no machine uses it: resizing, preallocation, writing compressed.

#include <algorithm>
#include <cerrno>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/block/qcow2/compression.h"
#include "engine/block/qcow2/image.h"

namespace engine::qcow2 {

Result<void> Image::resize(u64 wanted)
{
    const std::string what = "The disk in " + in_quotes(path_) + " can't be resized";
    wanted = round_up(std::min(wanted, largest_file), 512);
    const u64 entries = (wanted + header_.l2_reach() - 1) / header_.l2_reach();
    if (read_only_)
        return Error{what, "it can't be written to", "Open it for writing"};
    if (wanted == 0 || wanted >= largest_file || entries > largest_l1 / 8)
        return Error{what, text("the format can't hold ", wanted, " bytes"), "Choose another size"};
    const bool keeps_size = std::ranges::any_of(snapshots_, [](const Snapshot& snapshot) { return !snapshot.size_recorded; });
    if (keeps_size || (wanted < size_ && header_.nb_snapshots))
        return Error{what, "snapshots in it need its size", "Delete them first with “paddock disk snapshot”"};
    BlockResult done = prepare_to_write();
    const u64 before = size_;
    if (done.ok() && wanted < before) {
        // Whole clusters beyond the new end; the rest of the last one is cleared, so that it is not seen when the disk grows.
        const u64 end = round_up(wanted, header_.cluster_size());
        if (end > wanted && std::min(end, before) > wanted)
            done = clear({.operation = BlockOperation::write_zeroes, .offset = wanted, .length = std::min(end, before) - wanted});
        if (done.ok() && end < before)
            done = clear({.operation = BlockOperation::discard, .offset = end, .length = before - end});
    }
    if (done.ok())
        done = write_metadata();
    if (!done.ok())
        return done.error;
    return wanted < before ? set_size(wanted, l1_.size()) : grow(wanted, std::max<u64>(entries, l1_.size()));
}

// The header decides: one write takes the image from one state to the other.
Result<void> Image::set_size(u64 wanted, u64 entries)
{
    Header changed = header_;
    changed.size = wanted;
    changed.l1_size = u32(entries);
    int error_number = update_header(*file_, changed);
    if (!error_number)
        error_number = file_->flush();
    if (error_number)
        return image_failure(path_, "resized", error_number).error;
    header_ = changed;
    size_ = wanted;
    return {};
}

Result<void> Image::grow(u64 wanted, u64 entries)
{
    const u64 before = size_, room = round_up(8 * std::max<u64>(l1_.size(), 1), header_.cluster_size()) / 8;
    const u64 old_offset = header_.l1_table_offset, old_clusters = room * 8 >> header_.cluster_bits;
    if (entries > room) {
        // A longer table at a new place; the old one is free once the header no longer names it.
        Refcounts::Run run;
        const u64 clusters = round_up(8 * entries, header_.cluster_size()) >> header_.cluster_bits;
        if (const int error_number = refcounts_.allocate(clusters, true, run))
            return failure("resized", error_number).error;
        std::vector<u8> bytes(clusters << header_.cluster_bits);
        for (std::size_t n = 0; n < l1_.size(); ++n)
            store_be(&bytes[8 * n], l1_[n]);
        if (const int error_number = file_->write(run.offset, bytes))
            return image_failure(path_, "resized", error_number).error;
        if (BlockResult done = write_metadata(); !done.ok())
            return done.error;
        refcounts_.protect(run.offset, clusters);
        header_.l1_table_offset = run.offset;
    } else if (entries > l1_.size()) {
        // What lies behind the table in its cluster may be anything.
        const std::vector<u8> zeroes(8 * (entries - l1_.size()));
        if (const int error_number = file_->write(header_.l1_table_offset + 8 * l1_.size(), zeroes))
            return image_failure(path_, "resized", error_number).error;
        if (BlockResult done = write_metadata(); !done.ok())
            return done.error;
    }
    l1_.resize(entries);
    const u64 end = backing_ ? std::min(backing_->size(), wanted) : 0;
    if (auto done = set_size(wanted, entries); !done) {
        header_.l1_table_offset = old_offset;
        return done;
    }
    if (header_.l1_table_offset != old_offset) {
        refcounts_.unprotect(old_offset, old_clusters);
        refcounts_.give_up(old_offset, old_clusters);
    }
    BlockResult done;
    // Where the image below is longer, it must not shine through.
    if (end > before)
        done = clear({.operation = BlockOperation::write_zeroes, .offset = before, .length = end - before});
    if (done.ok())
        done = write_metadata();
    if (!done.ok())
        return done.error;
    return {};
}

Result<void> Image::preallocate()
{
    const u64 cluster = header_.cluster_size();
    BlockResult done = prepare_to_write();
    u64 end = 0;
    for (u64 offset = 0; done.ok() && offset < size_;) {
        done = relieve();
        const std::lock_guard lock(mutex_);
        Mapping mapping;
        Refcounts::Run run;
        int error_number = map(offset, size_ - offset, mapping);
        u64 length = mapping.length;
        if (!error_number && mapping.entry.kind == Kind::absent && !backing_) {
            std::shared_ptr<Table> table;
            error_number = l2_table_to_change(offset / header_.l2_reach(), table);
            if (!error_number)
                error_number = refcounts_.allocate((length + cluster - 1) / cluster, false, run);
            if (!error_number)
                error_number = set_entries(offset, run.clusters, run.offset | copied, cluster);
            length = std::min(length, run.clusters * cluster);
            end = std::max(end, run.offset + run.clusters * cluster);
        }
        if (error_number)
            return image_failure(path_, "filled", error_number).error;
        offset += length;
    }
    if (done.ok() && end > file_->size())
        if (const int error_number = file_->resize(end))
            return image_failure(path_, "filled", error_number).error;
    if (done.ok())
        done = write_metadata();
    if (!done.ok())
        return done.error;
    return {};
}

// Compressed clusters follow each other without regard to the file's clusters, each of which counts those in it.
BlockResult Image::write_compressed(u64 offset, std::span<const u8> content)
{
    const u64 cluster = header_.cluster_size();
    if (BlockResult ready = prepare_to_write(); !ready.ok())
        return ready;
    if (BlockResult relieved = relieve(); !relieved.ok())
        return relieved;
    // Clusters of the file that compressed data shares are counted once for each.
    constexpr u32 least_refcount_order = 4;
    const bool countable = header_.refcount_order >= least_refcount_order;
    const std::vector<u8> packed = countable ? compress(header_.compression, content) : std::vector<u8>();
    if (packed.empty()) {
        std::vector<u8> copy(content.begin(), content.end());
        return write({.operation = BlockOperation::write, .offset = offset, .length = copy.size(), .segments = {copy}});
    }
    u64 at = 0;
    int error_number = 0;
    {
        const std::lock_guard lock(mutex_);
        std::shared_ptr<Table> table;
        error_number = l2_table_to_change(offset / header_.l2_reach(), table);
        at = compressed_at_;
        const u64 room = at % cluster ? cluster - at % cluster : 0;
        if (!error_number && room < packed.size()) {
            Refcounts::Run run;
            error_number = refcounts_.allocate(1, true, run);
            const bool follows = room && run.offset == at + room;
            at = follows ? at : run.offset;
        }
        const u64 first = at >> header_.cluster_bits;
        // A new cluster has its one use by allocation; a shared one gets another.
        if (!error_number && at % cluster) {
            u64 count = 0;
            error_number = refcounts_.get(first, count);
            if (!error_number)
                error_number = refcounts_.set(first, count + 1);
        }
        compressed_at_ = at + packed.size();
    }
    if (!error_number)
        error_number = file_->write(at, packed);
    if (!error_number) {
        const unsigned split = 62 - (header_.cluster_bits - 8);
        const u64 more_sectors = (at % 512 + packed.size() - 1) / 512;
        const std::lock_guard lock(mutex_);
        error_number = set_entries(offset, 1, l2_compressed | more_sectors << split | at, 0);
    }
    return error_number ? failure("written", error_number) : BlockResult{};
}

}
