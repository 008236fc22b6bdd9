#include "engine/block/qcow2/check.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/block/qcow2/refcounts.h"
#include "engine/block/qcow2/snapshot_table.h"

namespace engine::qcow2 {

namespace {

constexpr u64 most_clusters = u64(1) << 28;    // counted in memory, 4 bytes each
constexpr std::size_t most_findings = 20;

class Checker {
public:
    Checker(ImageFile& file, Header& header, const std::string& path, const CheckProgress& progress)
        : file_(file),
          header_(header),
          path_(path),
          progress_(progress),
          refcounts_(file, header)
    {
    }
    Result<CheckReport> run(bool repairs);

private:
    Result<void> count_all();
    Result<void> count_l1(u64 offset, u32 entries, bool active);
    Result<void> count_l2_tables();
    struct Uses {
        u32 times = 0;    // by L1 tables
        bool active = false;    // by the disk's own
    };
    void count_entry(u64 entry, Uses uses);
    void count_bitmaps();
    void count(u64 offset, u64 length, std::string_view what, u32 times = 1);
    Result<void> compare(bool repairs);
    Result<void> check_copied_flags(bool repairs);
    Result<bool> fix_flags(std::vector<u8>& table, bool l2, std::string_view what);
    Result<void> write_refcounts();
    void corruption(std::string words);
    Result<void> read(u64 offset, std::vector<u8>& to);
    Result<void> go_on();
    Error failed(int error_number) const
    {
        if (error_number == damaged_image)
            return {"The image " + in_quotes(path_) + " can't be repaired", refcounts_.damage, "Use a backup of it"};
        return image_failure(path_, "checked", error_number).error;
    }

    ImageFile& file_;
    Header& header_;
    const std::string& path_;
    const CheckProgress& progress_;
    Refcounts refcounts_;
    CheckReport report_;
    std::vector<u32> counts_;
    std::map<u64, Uses> l2_tables_;    // by where they lie
    u64 looked_at_ = 0;    // tables
    bool unrepairable_ = false;
};

void Checker::corruption(std::string words)
{
    ++report_.corruptions;
    if (report_.findings.size() < most_findings)
        report_.findings.push_back(std::move(words));
}

Result<void> Checker::read(u64 offset, std::vector<u8>& to)
{
    if (const int error_number = file_.read(offset, to))
        return failed(error_number);
    return {};
}

Result<void> Checker::go_on()
{
    if (++looked_at_ % 16 == 0 && progress_
        && !progress_(std::min(1.0, double(looked_at_ * header_.l2_reach()) / double(header_.size + 1))))
        return Error{"The check of " + in_quotes(path_) + " was stopped", "", ""};
    return {};
}

void Checker::count(u64 offset, u64 length, std::string_view what, u32 times)
{
    const u64 first = offset >> header_.cluster_bits, last = (offset + std::max<u64>(length, 1) - 1) >> header_.cluster_bits;
    if (offset >= largest_file || length > largest_file || last >= counts_.size()) {
        unrepairable_ = true;
        return corruption(text(what, " at ", offset, " lies beyond the end of the file"));
    }
    for (u64 cluster = first; cluster <= last; ++cluster)
        counts_[cluster] += std::min(times, ~u32(0) - counts_[cluster]);
    report_.end = std::max(report_.end, (last + 1) << header_.cluster_bits);
}

void Checker::count_entry(u64 entry, Uses uses)
{
    const u64 cluster = header_.cluster_size();
    const u64 host = entry & offset_bits;
    if (entry & l2_compressed) {
        const unsigned split = 62 - (header_.cluster_bits - 8);
        const u64 at = bits(entry, 0, split), length = (bits(entry, split, 62 - split) + 1) * 512 - at % 512;
        report_.compressed += uses.active;
        report_.allocated += uses.active;
        return count(at, length, "a compressed cluster", uses.times);
    }
    if (!host)
        return;
    if (host % cluster) {
        unrepairable_ = true;
        return corruption(text("a cluster is said to lie at ", host, ", where none can"));
    }
    report_.allocated += uses.active;
    count(host, cluster, "a cluster", uses.times);
}

// Each once, however many snapshots have a part in it.
Result<void> Checker::count_l2_tables()
{
    std::vector<u8> table(header_.cluster_size());
    for (const auto& [offset, uses] : l2_tables_) {
        count(offset, header_.cluster_size(), "an L2 table", uses.times);
        if (auto done = read(offset, table); !done)
            return done;
        for (std::size_t n = 0; n < table.size(); n += 8)
            count_entry(load_be<u64>(&table[n]), uses);
        if (auto done = go_on(); !done)
            return done;
    }
    return {};
}

Result<void> Checker::count_l1(u64 offset, u32 entries, bool active)
{
    if (entries == 0)
        return {};
    std::vector<u8> table(round_up(file_.present(offset, 8 * u64(entries)), 8));
    if (auto done = read(offset, table); !done)
        return done;
    count(offset, 8 * u64(entries), "an L1 table");
    std::unordered_set<u64> seen;
    for (std::size_t n = 0; n < table.size(); n += 8) {
        const u64 l2 = load_be<u64>(&table[n]) & offset_bits;
        if (!l2)
            continue;
        if (l2 % header_.cluster_size() || l2 >= file_.size() || !seen.insert(l2).second) {
            unrepairable_ = true;
            corruption(text("an L2 table is said to lie at ", l2, ", where it can't"));
            continue;
        }
        Uses& uses = l2_tables_[l2];
        ++uses.times;
        uses.active |= active;
    }
    return {};
}

// The directory of bitmaps: entries with the place and the length of a table of clusters, and a name.
void Checker::count_bitmaps()
{
    const auto& bitmaps = header_.bitmaps;
    const u64 end = file_.size();
    if (bitmaps.count == 0)
        return;
    if (bitmaps.directory_offset >= end
        || bitmaps.directory_size > std::min(end - bitmaps.directory_offset, largest_snapshot_table))
        return corruption("the directory of bitmaps lies beyond the end of the file");
    count(bitmaps.directory_offset, bitmaps.directory_size, "the directory of bitmaps");
    std::vector<u8> directory(bitmaps.directory_size);
    if (file_.read(bitmaps.directory_offset, directory))
        return;
    u64 all = 0;    // bytes of tables
    for (u64 at = 0; at + 24 <= directory.size();) {
        const u64 offset = load_be<u64>(&directory[at]);
        const u64 entries = load_be<u32>(&directory[at + 8]);
        const u64 name = load_be<u16>(&directory[at + 18]), extra = load_be<u32>(&directory[at + 20]);
        all += 8 * entries;
        // Together they can't be longer than the file.
        if (offset >= end || all > end)
            return corruption("the table of a bitmap lies beyond the end of the file");
        count(offset, 8 * entries, "the table of a bitmap");
        std::vector<u8> table(8 * entries);
        if (file_.read(offset, table))
            return;
        for (std::size_t n = 0; n < table.size(); n += 8)
            if (const u64 cluster = load_be<u64>(&table[n]) & offset_bits)
                count(cluster, header_.cluster_size(), "a bitmap");
        at += round_up(24 + name + extra, 8);
    }
}

Result<void> Checker::count_all()
{
    const u64 clusters = round_up(file_.size(), header_.cluster_size()) >> header_.cluster_bits;
    if (clusters > most_clusters)
        return Error{"The image " + in_quotes(path_) + " can't be checked", "it has too many clusters", "Use qemu-img check"};
    counts_.assign(clusters, 0);
    report_.clusters = round_up(header_.size, header_.cluster_size()) >> header_.cluster_bits;
    count(0, header_.cluster_size(), "the header");
    count(header_.refcount_table_offset, u64(header_.refcount_table_clusters) << header_.cluster_bits, "the refcount table");
    for (const u64 entry : refcounts_.table()) {
        if (entry && (entry % header_.cluster_size() || entry >= largest_file)) {
            unrepairable_ = true;
            corruption(text("a refcount block is said to lie at ", entry, ", where it can't"));
        } else if (entry) {
            count(entry, header_.cluster_size(), "a refcount block");
        }
    }
    if (auto done = count_l1(header_.l1_table_offset, header_.l1_size, true); !done)
        return done;
    u64 table_bytes = 0;
    const auto snapshots = read_snapshots(file_, header_, path_, &table_bytes);
    if (!snapshots)
        return snapshots.error();
    if (table_bytes)
        count(header_.snapshots_offset, table_bytes, "the table of snapshots");
    for (const Snapshot& snapshot : snapshots.value())
        if (auto done = count_l1(snapshot.l1_table_offset, snapshot.l1_size, false); !done)
            return done;
    if (auto done = count_l2_tables(); !done)
        return done;
    count_bitmaps();
    return {};
}

Result<void> Checker::compare(bool repairs)
{
    if (repairs)
        refcounts_.append_only(counts_.size());
    for (u64 cluster = 0; cluster < counts_.size(); ++cluster) {
        u64 kept = 0;
        if (const int error_number = refcounts_.get(cluster, kept))
            return failed(error_number);
        if (kept == counts_[cluster])
            continue;
        const std::string words = text("cluster ", cluster, " is used ", counts_[cluster], " times and counted ", kept, " times");
        if (kept < counts_[cluster]) {
            corruption(words);
            report_.repaired_corruptions += repairs;
        } else {
            ++report_.leaks;
            report_.repaired_leaks += repairs;
            if (report_.findings.size() < most_findings)
                report_.findings.push_back(words);
        }
        if (const int error_number = repairs ? refcounts_.set(cluster, counts_[cluster]) : 0)
            return failed(error_number);
    }
    return {};
}

Result<bool> Checker::fix_flags(std::vector<u8>& table, bool l2, std::string_view what)
{
    bool changed = false;
    for (std::size_t n = 0; n < table.size(); n += 8) {
        const u64 entry = load_be<u64>(&table[n]);
        const u64 host = entry & offset_bits, cluster = host >> header_.cluster_bits;
        const bool flagged = entry & copied;
        u64 kept = 0;
        if (!host || (l2 && entry & l2_compressed) || cluster >= counts_.size() || host % header_.cluster_size())
            continue;
        if (const int error_number = refcounts_.get(cluster, kept))
            return failed(error_number);
        if (flagged == (kept == 1))
            continue;
        corruption(text("the flag of ", what, " for cluster ", cluster, " contradicts its refcount"));
        store_be(&table[n], entry ^ copied);
        changed = true;
    }
    return changed;
}

Result<void> Checker::check_copied_flags(bool repairs)
{
    std::vector<u8> l1(round_up(file_.present(header_.l1_table_offset, 8 * u64(header_.l1_size)), 8));
    if (auto done = read(header_.l1_table_offset, l1); !done)
        return done;
    const u64 before = report_.corruptions;
    for (std::size_t n = 0; n < l1.size(); n += 8) {
        const u64 offset = load_be<u64>(&l1[n]) & offset_bits;
        if (!offset || offset % header_.cluster_size() || offset >= file_.size())
            continue;
        std::vector<u8> l2(header_.cluster_size());
        if (auto done = read(offset, l2); !done)
            return done;
        const auto changed = fix_flags(l2, true, "an L2 entry");
        if (!changed)
            return changed.error();
        if (const int error_number = repairs && changed.value() ? file_.write(offset, l2) : 0)
            return failed(error_number);
    }
    const auto changed = fix_flags(l1, false, "an L1 entry");
    if (!changed)
        return changed.error();
    if (const int error_number = repairs && changed.value() ? file_.write(header_.l1_table_offset, l1) : 0)
        return failed(error_number);
    if (repairs)
        report_.repaired_corruptions += report_.corruptions - before;
    return {};
}

Result<void> Checker::write_refcounts()
{
    // A table that moved left its old place.
    for (const u64 cluster : refcounts_.take_given_up())
        if (const int error_number = refcounts_.set(cluster, 0))
            return failed(error_number);
    const auto blocks = refcounts_.blocks().take_dirty();
    int error_number = write_patches(file_, blocks);
    const auto step = [&](auto&& action) { error_number = error_number ? error_number : action(); };
    step([&] { return file_.flush(); });
    if (refcounts_.table_dirty()) {
        const Patch table = refcounts_.take_table();
        step([&] { return file_.write(table.offset, table.bytes); });
        step([&] { return file_.flush(); });
        step([&] { return update_header(file_, header_); });
        step([&] { return file_.flush(); });
    }
    refcounts_.blocks().written(blocks, error_number == 0);
    if (error_number)
        return failed(error_number);
    return {};
}

Result<CheckReport> Checker::run(bool repairs)
{
    if (const int error_number = refcounts_.load())
        return failed(error_number);
    if (auto counted = count_all(); !counted)
        return counted.error();
    if (auto compared = compare(repairs); !compared)
        return compared.error();
    if (repairs)
        if (auto written = write_refcounts(); !written)
            return written.error();
    if (auto checked = check_copied_flags(repairs); !checked)
        return checked.error();
    if (!repairs)
        return report_;
    header_.incompatible_features &= ~incompatible_dirty;
    if (!unrepairable_)
        header_.incompatible_features &= ~incompatible_corrupt;
    int error_number = file_.flush();
    if (!error_number)
        error_number = update_header(file_, header_);
    if (!error_number)
        error_number = file_.flush();
    if (error_number)
        return failed(error_number);
    return report_;
}

}

Result<CheckReport> check(ImageFile& file, const Header& header, const std::string& path, const CheckProgress& progress)
{
    Header copy = header;
    return Checker(file, copy, path, progress).run(false);
}

Result<CheckReport> repair(ImageFile& file, Header& header, const std::string& path, const CheckProgress& progress)
{
    return Checker(file, header, path, progress).run(true);
}

}
