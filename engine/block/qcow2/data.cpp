// Reading, writing and clearing. The clusters concerned are locked, the map only while it is looked at or changed.

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/block/qcow2/compression.h"
#include "engine/block/qcow2/image.h"

namespace engine::qcow2 {

namespace {

constexpr u64 most_at_once = 4 << 20;    // bytes of new clusters written at a time

std::vector<std::span<u8>> spans_of(std::span<const iovec> parts)
{
    std::vector<std::span<u8>> spans;
    spans.reserve(parts.size());
    for (const iovec& part : parts)
        spans.emplace_back(static_cast<u8*>(part.iov_base), part.iov_len);
    return spans;
}

void copy_out(std::span<const u8> from, std::span<const iovec> to)
{
    for (const iovec& part : to) {
        std::memcpy(part.iov_base, from.data(), part.iov_len);
        from = from.subspan(part.iov_len);
    }
}

}

BlockResult Image::read(u64 offset, const std::vector<std::span<u8>>& to, u64 skip, u64 length)
{
    while (length > 0) {
        Mapping mapping;
        int error_number = 0;
        {
            const std::lock_guard lock(mutex_);
            error_number = map(offset, length, mapping);
        }
        if (error_number)
            return failure("read", error_number);
        const auto part = slice(to, skip, mapping.length);
        if (BlockResult result = read_mapping(mapping, offset, part, mapping.length); !result.ok())
            return result;
        offset += mapping.length;
        skip += mapping.length;
        length -= mapping.length;
    }
    return {};
}

BlockResult Image::read_mapping(const Mapping& mapping, u64 offset, std::span<const iovec> to, u64 length)
{
    switch (mapping.entry.kind) {
    case Kind::absent:
        if (mapping.below)
            return read_layer(*mapping.below, offset, spans_of(to), length);
        [[fallthrough]];
    case Kind::zero:
        fill_with_zeroes(to);
        return {};
    case Kind::compressed:
        return read_compressed(mapping.entry, offset % header_.cluster_size(), to);
    case Kind::data:
        break;
    }
    const int error_number = file_->read(mapping.entry.host, to);
    return error_number ? failure("read", error_number) : BlockResult{};
}

BlockResult Image::read_compressed(const Entry& entry, u64 within, std::span<const iovec> to)
{
    const std::lock_guard lock(decompressed_mutex_);
    if (decompressed_from_ != entry.host) {
        std::vector<u8> bytes(entry.length);
        decompressed_from_ = ~u64(0);
        decompressed_.resize(header_.cluster_size());
        if (const int error_number = file_->read(entry.host, bytes))
            return failure("read", error_number);
        if (!decompress(header_.compression, bytes, decompressed_))
            return {
                BlockFault::input_output,
                {"The image " + in_quotes(path_) + " is damaged",
                 text("the compressed cluster at ", entry.host, " can't be unpacked"), "Use a backup of it"}};
        decompressed_from_ = entry.host;
    }
    copy_out(std::span(decompressed_).subspan(within), to);
    return {};
}

BlockResult Image::write(const BlockRequest& request)
{
    if (BlockResult prepared = prepare_to_write(); !prepared.ok())
        return prepared;
    u64 done = 0;
    {
        const auto guard = lock_clusters(request.offset, request.length, RangeLocks::Use::shared);
        if (BlockResult result = write_mapped(request.offset, request.segments, done, request.length); !result.ok())
            return result;
    }
    if (done == request.length)
        return {};
    const auto guard = lock_clusters(request.offset + done, request.length - done, RangeLocks::Use::alone);
    return write_alone(request.offset + done, request.segments, done, request.length - done);
}

// As far as clusters have a place of their own; `done` says how far.
BlockResult Image::write_mapped(u64 offset, const std::vector<std::span<u8>>& from, u64& done, u64 length)
{
    while (done < length) {
        Mapping mapping;
        int error_number = 0;
        {
            const std::lock_guard lock(mutex_);
            error_number = map(offset + done, length - done, mapping);
        }
        if (error_number)
            return failure("written", error_number);
        if (!mapping.writable)
            return {};
        if (const int failed = file_->write(mapping.entry.host, slice(from, done, mapping.length)))
            return failure("written", failed);
        done += mapping.length;
    }
    return {};
}

BlockResult Image::write_alone(u64 offset, const std::vector<std::span<u8>>& from, u64 skip, u64 length)
{
    while (length > 0) {
        if (BlockResult relieved = relieve(); !relieved.ok())
            return relieved;
        Mapping mapping;
        int error_number = 0;
        {
            const std::lock_guard lock(mutex_);
            error_number = map(offset, length, mapping);
        }
        if (error_number)
            return failure("written", error_number);
        u64 part = mapping.length;
        if (mapping.writable) {
            if (const int failed = file_->write(mapping.entry.host, slice(from, skip, part)))
                return failure("written", failed);
        } else if (BlockResult result = write_fresh(mapping, offset, from, skip, part); !result.ok()) {
            return result;
        }
        offset += part;
        skip += part;
        length -= part;
    }
    return {};
}

// Into new clusters; `length` is at most what `old` holds for, and says in the end how much was written.
BlockResult Image::write_fresh(const Mapping& old, u64 offset, const std::vector<std::span<u8>>& from, u64 skip, u64& length)
{
    const u64 cluster = header_.cluster_size(), within = offset % cluster;
    length = std::min(length, std::max(most_at_once, cluster) - within);
    Fresh fresh;
    int error_number = 0;
    {
        const std::lock_guard lock(mutex_);
        // The table first: a cluster must not be taken for data when there is no place to note it.
        std::shared_ptr<Table> table;
        error_number = l2_table_to_change(offset / header_.l2_reach(), table);
        if (!error_number)
            error_number = refcounts_.allocate((within + length + cluster - 1) / cluster, false, fresh.run);
        fresh.zeroes = !error_number && refcounts_.holds_zeroes(fresh.run.offset);
    }
    if (error_number)
        return failure("written", error_number);
    length = std::min(length, fresh.run.clusters * cluster - within);
    BlockResult trouble;
    error_number = fill_fresh(old, fresh, offset, slice(from, skip, length), length, trouble);
    {
        const std::lock_guard lock(mutex_);
        if (error_number || !trouble.ok())
            refcounts_.take_back(fresh.run);
        else
            error_number = set_entries(cluster_start(offset), fresh.run.clusters, fresh.run.offset | copied, cluster);
    }
    return error_number ? failure("written", error_number) : trouble;
}

// The data, and round it what the first and the last cluster held before.
int Image::fill_fresh(
    const Mapping& old, const Fresh& fresh, u64 offset, std::span<const iovec> from, u64 length, BlockResult& trouble)
{
    const u64 cluster = header_.cluster_size();
    const u64 head = offset % cluster, tail = fresh.run.clusters * cluster - head - length;
    const bool was_zero = old.entry.kind == Kind::zero || (old.entry.kind == Kind::absent && !old.below);
    if (was_zero || (head == 0 && tail == 0)) {
        if (!was_zero || fresh.zeroes || (head == 0 && tail == 0))
            return file_->write(fresh.run.offset + head, from);
        const int error_number = file_->zero(fresh.run.offset, fresh.run.clusters * cluster);
        return error_number ? error_number : file_->write(fresh.run.offset + head, from);
    }
    std::vector<u8> around(head + tail);
    const auto before = std::span(around).first(head), after = std::span(around).subspan(head);
    trouble = read(offset - head, {before}, 0, head);
    const u64 end = offset + length, there = std::min(tail, size_ > end ? size_ - end : 0);
    if (trouble.ok())
        trouble = read(end, {after.first(there)}, 0, there);
    if (!trouble.ok())
        return 0;
    std::vector<iovec> parts;
    parts.reserve(from.size() + 2);
    parts.push_back({before.data(), before.size()});
    parts.insert(parts.end(), from.begin(), from.end());
    parts.push_back({after.data(), after.size()});
    return file_->write(fresh.run.offset, parts);
}

BlockResult Image::clear(const BlockRequest& request)
{
    if (BlockResult prepared = prepare_to_write(); !prepared.ok() || request.length == 0)
        return prepared;
    const u64 cluster = header_.cluster_size();
    const bool zeroes = request.operation == BlockOperation::write_zeroes;
    u64 offset = request.offset, length = request.length;
    while (length > 0) {
        // In steps, so that the rest of the disk is not kept waiting by a discard of all of it.
        const u64 in_reach = std::min(length, header_.l2_reach() - offset % header_.l2_reach());
        const auto guard = lock_clusters(offset, in_reach, RangeLocks::Use::alone);
        u64 part = std::min(in_reach, cluster - offset % cluster);
        const bool whole = offset % cluster == 0 && (part == cluster || offset + part == size_);
        BlockResult result;
        if (whole)
            result = clear_clusters(offset, in_reach, request.operation, part);
        else if (zeroes)
            result = clear_part(offset, part);
        if (!result.ok())
            return result;
        offset += part;
        length -= part;
    }
    return request.durable ? write_metadata() : BlockResult{};
}

BlockResult Image::clear_part(u64 offset, u64 length)
{
    Mapping mapping;
    int error_number = 0;
    {
        const std::lock_guard lock(mutex_);
        error_number = map(offset, length, mapping);
    }
    if (error_number)
        return failure("written", error_number);
    if (mapping.entry.kind == Kind::zero || (mapping.entry.kind == Kind::absent && !mapping.below))
        return {};
    // A cluster that is zero all over then needs no room.
    const u64 start = cluster_start(offset), cluster = header_.cluster_size();
    if (mapping.entry.kind == Kind::absent && header_.version >= 3 && reads_as_zeroes(*backing_, start, offset - start)
        && reads_as_zeroes(*backing_, offset + length, start + cluster - offset - length))
        return clear_clusters(start, cluster, BlockOperation::write_zeroes, length);
    std::vector<u8> zeroes(length);
    return write_alone(offset, {zeroes}, 0, length);
}

// Whole clusters from `offset` on that are alike; `length` says how far it went.
BlockResult Image::clear_clusters(u64 offset, u64 most, BlockOperation operation, u64& length)
{
    if (BlockResult relieved = relieve(); !relieved.ok())
        return relieved;
    const u64 cluster = header_.cluster_size();
    std::unique_lock lock(mutex_);
    Mapping mapping;
    int error_number = map(offset, most, mapping);
    // Only whole clusters; what the disk's end cuts off counts as whole.
    const bool to_the_end = offset + mapping.length == size_;
    length = to_the_end ? mapping.length : std::max(mapping.length / cluster * cluster, std::min(most, cluster));
    const bool reads_as_zero
        = (mapping.entry.kind == Kind::zero && !mapping.entry.host) || (mapping.entry.kind == Kind::absent && !backing_);
    if (!error_number && reads_as_zero)
        return {};
    if (!error_number && header_.version < 3 && backing_) {
        // Nothing in version 2 hides what lies below, but data.
        lock.unlock();
        length = std::min(length, cluster);
        return operation == BlockOperation::write_zeroes ? clear_part(offset, length) : BlockResult{};
    }
    if (!error_number)
        error_number = set_entries(offset, (length + cluster - 1) / cluster, backing_ ? l2_reads_as_zero : 0, 0);
    lock.unlock();
    return error_number ? failure("written", error_number) : BlockResult{};
}

}
