// Snapshots inside the image, made, gone back to and deleted while no request is under way.
//
// While it is being changed the image is marked as dirty (version 3), so that whoever opens it after a crash makes its
// refcounts anew. Where there is no such mark, each order below leaves what is lost room at worst: uses are counted before
// anything in the file relies on them, one write of the header takes the image from one state to the other, and only then are
// uses given up. An L2 table's entries are marked as shared before the header names the snapshot that has a part in them.

#include <algorithm>
#include <cerrno>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/block/qcow2/check.h"
#include "engine/block/qcow2/image.h"

namespace engine::qcow2 {

namespace {

constexpr std::size_t longest_name = 255;
constexpr u64 most_clusters = u64(1) << 28;    // counted in memory, 4 bytes each

// One more than the largest number among the ids, as QEMU numbers them.
std::string next_id(const std::vector<Snapshot>& snapshots)
{
    u64 largest = 0;
    for (const Snapshot& snapshot : snapshots) {
        const bool number = !snapshot.id.empty() && snapshot.id.size() < 10
            && std::ranges::all_of(snapshot.id, [](char c) { return c >= '0' && c <= '9'; });
        if (number)
            largest = std::max<u64>(largest, std::stoul(snapshot.id));
    }
    return text(largest + 1);
}

}

const Snapshot* Image::find_snapshot(const std::string& wanted) const
{
    for (const auto member : {&Snapshot::id, &Snapshot::name})
        if (const auto found = std::ranges::find(snapshots_, wanted, member); found != snapshots_.end())
            return &*found;
    return nullptr;
}

Error Image::no_snapshot(const std::string& wanted) const
{
    return {
        "The image " + in_quotes(path_) + " has no snapshot " + in_quotes(wanted), "",
        "“paddock disk info” lists those there are"};
}

Result<void> Image::take_snapshot(const std::string& name, u32 date_seconds)
{
    const std::string what = "A snapshot of " + in_quotes(path_) + " can't be made";
    if (name.empty() || name.size() > longest_name)
        return Error{what, text("its name has ", name.size(), " bytes"), text("Choose one of 1 to ", longest_name, " bytes")};
    if (find_snapshot(name))
        return Error{what, "there is one with the name or number " + in_quotes(name) + " already", "Choose another name"};
    if (snapshots_.size() >= most_snapshots)
        return Error{what, text("there are ", most_snapshots, " in it already"), "Delete one of them"};
    return change_snapshots([&]() -> Result<void> {
        if (auto shared = count_uses_of(l1_); !shared)
            return shared;
        if (const int error_number = set_flags_of_l1())
            return failure("written", error_number).error;
        Snapshot snapshot{
            .id = next_id(snapshots_),
            .name = name,
            .l1_size = u32(l1_.size()),
            .disk_size = header_.size,
            .date_seconds = date_seconds};
        if (auto written = write_l1_copy(l1_, snapshot.l1_table_offset); !written)
            return written;
        write_record(snapshot);
        auto all = snapshots_;
        all.push_back(std::move(snapshot));
        return change_snapshot_table(std::move(all));
    });
}

Result<void> Image::restore_snapshot(const std::string& wanted)
{
    const Snapshot* found = find_snapshot(wanted);
    if (!found)
        return no_snapshot(wanted);
    return change_snapshots([this, snapshot = *found]() -> Result<void> {
        std::vector<u64> next;
        std::vector<u32> uses;
        // What lies behind the disk's end is the state of a machine, which nothing here goes on from.
        const u64 entries = (snapshot.disk_size + header_.l2_reach() - 1) / header_.l2_reach();
        int error_number = read_l1(snapshot.l1_table_offset, u32(entries), next);
        if (!error_number)
            error_number = uses_of(l1_, uses);
        if (error_number)
            return failure("read", error_number).error;
        if (auto shared = count_uses_of(next); !shared)
            return shared;
        Header changed = header_;
        if (auto written = write_l1_copy(next, changed.l1_table_offset); !written)
            return written;
        const u64 moved_to = changed.l1_table_offset;
        if (BlockResult written = write_metadata(); !written.ok())
            return written.error;
        changed = header_;
        changed.l1_table_offset = moved_to;
        changed.l1_size = u32(entries);
        changed.size = snapshot.disk_size;
        const u64 old_offset = header_.l1_table_offset, old_clusters = l1_clusters(l1_.size());
        if (auto written = write_header(changed); !written)
            return written;
        size_ = round_up(header_.size, 512);
        l1_ = std::move(next);
        protect_l1(moved_to);
        refcounts_.unprotect(old_offset, old_clusters);
        refcounts_.give_up(old_offset, old_clusters);
        give_up_uses(uses);
        return {};
    });
}

Result<void> Image::delete_snapshot(const std::string& wanted)
{
    const Snapshot* found = find_snapshot(wanted);
    if (!found)
        return no_snapshot(wanted);
    return change_snapshots([this, found]() -> Result<void> {
        const Snapshot snapshot = *found;
        std::vector<u64> l1;
        std::vector<u32> uses;
        int error_number = read_l1(snapshot.l1_table_offset, snapshot.l1_size, l1);
        if (!error_number)
            error_number = uses_of(l1, uses);
        if (error_number)
            return failure("read", error_number).error;
        auto rest = snapshots_;
        rest.erase(rest.begin() + (found - snapshots_.data()));
        if (auto changed = change_snapshot_table(std::move(rest)); !changed)
            return changed;
        refcounts_.unprotect(snapshot.l1_table_offset, l1_clusters(snapshot.l1_size));
        refcounts_.give_up(snapshot.l1_table_offset, l1_clusters(snapshot.l1_size));
        give_up_uses(uses);
        return {};
    });
}

// What is common to all: an image that is sound before, the mark while it changes, and what can be freed afterwards. After a
// failure this object writes nothing any more: it can't know what the file says.
Result<void> Image::change_snapshots(const std::function<Result<void>()>& change)
{
    const std::string what = "The snapshots in " + in_quotes(path_) + " can't be changed";
    if (read_only_)
        return Error{what, "the image is open for reading only", ""};
    BlockResult ready = prepare_to_write();
    if (ready.ok())
        ready = write_all();
    if (!ready.ok())
        return ready.error;
    // So that whatever its tables say can be relied on.
    const auto checked = check(*file_, header_, path_);
    if (!checked)
        return checked.error();
    if (checked.value().corruptions)
        return Error{
            what, text("there are ", checked.value().corruptions, " contradictions in the image"),
            "Make a backup, then repair it with “paddock disk check --repair”"};
    Result<void> done = mark_dirty(true);
    if (done)
        done = change();
    if (done)
        done = finish_change();
    if (done)
        return done;
    read_only_ = true;
    // What it leaves is sound but for lost room, as after a crash.
    if (auto header = read_header(*file_, path_))
        (void)repair(*file_, *header, path_);
    return done;
}

Result<void> Image::finish_change()
{
    compressed_at_ = 0;
    decompressed_from_ = ~u64(0);
    if (BlockResult written = write_all(); !written.ok())
        return written.error;
    // Once more, since clusters that were shared may have become this disk's own.
    if (auto set = set_flags_of_tables(l1_); !set)
        return set;
    if (const int error_number = set_flags_of_l1())
        return failure("written", error_number).error;
    if (BlockResult written = write_all(); !written.ok())
        return written.error;
    return mark_dirty(false);
}

Result<void> Image::mark_dirty(bool dirty)
{
    if (header_.version < 3)
        return {};
    Header changed = header_;
    changed.incompatible_features
        = dirty ? changed.incompatible_features | incompatible_dirty : changed.incompatible_features & ~incompatible_dirty;
    return write_header(changed);
}

// Durable, or an error after which either may stand in the file.
Result<void> Image::write_header(const Header& changed)
{
    int error_number = update_header(*file_, changed);
    if (!error_number)
        error_number = file_->flush();
    if (error_number)
        return image_failure(path_, "written", error_number).error;
    header_ = changed;
    return {};
}

u64 Image::l1_clusters(u64 entries) const
{
    return round_up(8 * std::max<u64>(entries, 1), header_.cluster_size()) >> header_.cluster_bits;
}

int Image::read_l1(u64 offset, u32 entries, std::vector<u64>& l1)
{
    std::vector<u8> bytes(round_up(file_->present(offset, 8 * u64(entries)), 8));
    if (const int error_number = file_->read(offset, bytes))
        return error_number;
    l1.assign(entries, 0);
    for (std::size_t n = 0; n < bytes.size() / 8; ++n)
        l1[n] = load_be<u64>(&bytes[8 * n]);
    return 0;
}

// The disk's own, which lies at `offset`, and its L2 tables.
void Image::protect_l1(u64 offset)
{
    refcounts_.protect(offset, l1_clusters(l1_.size()));
    for (const u64 entry : l1_)
        if (const u64 table = entry & offset_bits)
            refcounts_.protect(table, 1);
}

// Somewhere new. Nothing refers to it yet, and its entries don't say that a table is theirs alone.
Result<void> Image::write_l1_copy(const std::vector<u64>& l1, u64& offset)
{
    Refcounts::Run run;
    if (const int error_number = refcounts_.allocate(l1_clusters(l1.size()), true, run))
        return failure("written", error_number).error;
    std::vector<u8> bytes(run.clusters << header_.cluster_bits);
    for (std::size_t n = 0; n < l1.size(); ++n)
        store_be(&bytes[8 * n], l1[n] & ~copied);
    if (const int error_number = file_->write(run.offset, bytes))
        return image_failure(path_, "written", error_number).error;
    offset = run.offset;
    return {};
}

// How often an L1 table and what hangs on it use each cluster of the file.
int Image::uses_of(const std::vector<u64>& l1, std::vector<u32>& uses)
{
    const u64 clusters = round_up(file_->size(), header_.cluster_size()) >> header_.cluster_bits;
    if (clusters > most_clusters)
        return EFBIG;
    uses.assign(clusters, 0);
    const auto use = [&](u64 offset, u64 length) {
        const u64 first = offset >> header_.cluster_bits, last = (offset + length - 1) >> header_.cluster_bits;
        if (last >= clusters)
            return damaged(text("what lies at ", offset, " lies beyond the end of the file"));
        for (u64 cluster = first; cluster <= last; ++cluster)
            ++uses[cluster];
        return 0;
    };
    for (const u64 l1_entry : l1) {
        const u64 offset = l1_entry & offset_bits;
        if (!offset)
            continue;
        std::shared_ptr<Table> table;
        int error_number = use(offset, header_.cluster_size());
        if (!error_number)
            error_number = l2_.get(offset, table);
        for (u64 n = 0; !error_number && n < header_.cluster_size(); n += 8)
            if (const Entry entry = decode(load_be<u64>(&table->bytes[n])); entry.host)
                error_number = use(entry.host, entry.length ? entry.length : header_.cluster_size());
        if (error_number)
            return error_number;
    }
    return 0;
}

// One use more of all that an L1 table names, and entries that say so. Nothing is changed where the counts have no room.
Result<void> Image::count_uses_of(std::vector<u64>& l1)
{
    std::vector<u32> uses;
    if (const int error_number = uses_of(l1, uses))
        return failure("read", error_number).error;
    const u64 most = low_mask(1u << header_.refcount_order);
    for (const bool changes : {false, true})
        for (u64 cluster = 0; cluster < uses.size(); ++cluster) {
            u64 count = 0;
            int error_number = uses[cluster] ? refcounts_.get(cluster, count) : 0;
            if (!error_number && uses[cluster] > most - std::min(count, most))
                return Error{
                    "A snapshot of " + in_quotes(path_) + " can't be made or gone back to",
                    text("the image counts with ", 1u << header_.refcount_order, " bits how often something is used"),
                    "Copy the image with “paddock disk convert”"};
            if (!error_number && changes && uses[cluster])
                error_number = refcounts_.set(cluster, count + uses[cluster]);
            if (error_number)
                return failure("written", error_number).error;
        }
    return set_flags_of_tables(l1);
}

void Image::give_up_uses(const std::vector<u32>& uses)
{
    for (u64 cluster = 0; cluster < uses.size(); ++cluster)
        for (u32 n = 0; n < uses[cluster]; ++n)
            refcounts_.give_up(cluster << header_.cluster_bits, 1);
}

// Each entry of the L2 tables says whether its cluster is used once.
Result<void> Image::set_flags_of_tables(const std::vector<u64>& l1)
{
    for (const u64 l1_entry : l1) {
        const u64 offset = l1_entry & offset_bits;
        if (!offset)
            continue;
        if (BlockResult relieved = relieve(); !relieved.ok())
            return relieved.error;
        std::shared_ptr<Table> table;
        int error_number = l2_.get(offset, table);
        for (u64 n = 0; !error_number && n < header_.cluster_size(); n += 8) {
            const u64 entry = load_be<u64>(&table->bytes[n]);
            u64 count = 0;
            if (entry & l2_compressed || !(entry & offset_bits))
                continue;
            error_number = refcounts_.get((entry & offset_bits) >> header_.cluster_bits, count);
            if (error_number || bool(entry & copied) == (count == 1))
                continue;
            store_be(&table->bytes[n], entry ^ copied);
            l2_.touch(*table, n, 8);
        }
        if (error_number)
            return failure("written", error_number).error;
    }
    return {};
}

int Image::set_flags_of_l1()
{
    for (u64 n = 0; n < l1_.size(); ++n) {
        const u64 offset = l1_[n] & offset_bits;
        u64 count = 0;
        if (const int error_number = offset ? refcounts_.get(offset >> header_.cluster_bits, count) : 0)
            return error_number;
        if (!offset || bool(l1_[n] & copied) == (count == 1))
            continue;
        l1_[n] ^= copied;
        l1_dirty_from_ = std::min(l1_dirty_from_, n);
        l1_dirty_to_ = std::max(l1_dirty_to_, n + 1);
    }
    return 0;
}

// The table that names them, at a new place, and then the header. What the snapshots need has been counted and marked.
Result<void> Image::change_snapshot_table(std::vector<Snapshot> snapshots)
{
    const std::vector<u8> bytes = snapshot_table(snapshots);
    const u64 cluster = header_.cluster_size(), old_offset = header_.snapshots_offset;
    const u64 old_clusters = round_up(snapshot_table(snapshots_).size(), cluster) >> header_.cluster_bits;
    if (bytes.size() > largest_snapshot_table)
        return Error{"A snapshot of " + in_quotes(path_) + " can't be made", "their table would be too large", "Delete some"};
    Refcounts::Run run;
    if (!bytes.empty()) {
        int error_number = refcounts_.allocate(round_up(bytes.size(), cluster) >> header_.cluster_bits, true, run);
        if (!error_number)
            error_number = file_->write(run.offset, bytes);
        if (error_number)
            return failure("written", error_number).error;
    }
    if (BlockResult written = write_metadata(); !written.ok())
        return written.error;
    Header changed = header_;
    changed.nb_snapshots = u32(snapshots.size());
    changed.snapshots_offset = run.offset;
    if (auto written = write_header(changed); !written)
        return written;
    refcounts_.unprotect(old_offset, old_clusters);
    refcounts_.give_up(old_offset, old_clusters);
    snapshots_ = std::move(snapshots);
    refcounts_.protect(run.offset, run.clusters);
    for (const Snapshot& snapshot : snapshots_)
        refcounts_.protect(snapshot.l1_table_offset, l1_clusters(snapshot.l1_size));
    return {};
}

}
