#pragma once
// How often each cluster of the file is used, and which are free. The image's lock is held for every call.
//
// Everything here happens in memory; Image::write_metadata() takes it to the file in an order in which a crash at any point
// costs no more than leaked clusters. So a cluster that is given up keeps its count until nothing in the file refers to it.

#include <unordered_set>

#include "engine/block/qcow2/header.h"
#include "engine/block/qcow2/table_cache.h"

namespace engine::qcow2 {

// An error number of <cerrno> for the host's troubles, and for an image that contradicts itself this one; `damage` has words.
constexpr int damaged_image = -1;

class Refcounts {
public:
    // Of a header that is checked; both outlive this.
    Refcounts(ImageFile& file, Header& header);
    [[nodiscard]] int load();    // the refcount table

    [[nodiscard]] int get(u64 cluster, u64& count);
    // Changes a count; a block of refcounts is made where there is none.
    [[nodiscard]] int set(u64 cluster, u64 count);

    // Up to `most` clusters one after the other, at least one, with a count of one each; exactly `most` with `whole`.
    struct Run {
        u64 offset = 0;    // in the file
        u64 clusters = 0;
    };
    [[nodiscard]] int allocate(u64 most, bool whole, Run& run);
    // Takes back what was just allocated and never referred to. What it holds is not known any more.
    void take_back(const Run& run);

    // One use less of `clusters` clusters, once the file no longer refers to them.
    void give_up(u64 offset, u64 clusters);

    // Clusters of tables; data must never be written there, nor a table made where one is.
    void protect(u64 offset, u64 clusters);
    void unprotect(u64 offset, u64 clusters);
    bool is_protected(u64 offset) const { return protected_.contains(offset >> header_.cluster_bits); }

    // Whether a cluster just allocated holds zeroes already.
    bool holds_zeroes(u64 offset) const { return offset >> header_.cluster_bits >= known_zeroes_; }
    // For a repair, while counts can't be trusted: nothing before `cluster` is taken.
    void append_only(u64 cluster)
    {
        append_only_ = true;
        hint_ = cluster;
    }

    TableCache& blocks() { return blocks_; }
    const std::vector<u64>& table() const { return table_; }

    // What the checkpoint needs.
    bool table_dirty() const { return table_dirty_from_ < table_dirty_to_ || table_moved_; }
    bool table_moved() const { return table_moved_; }
    Patch take_table();
    void table_written(const Patch& patch, bool moved, bool success);
    std::vector<u64> take_given_up();    // clusters, one for each use
    void put_back_given_up(std::vector<u64> clusters);
    // Clusters among these (sorted) whose last use goes.
    [[nodiscard]] int last_uses(const std::vector<u64>& clusters, std::vector<u64>& last);
    [[nodiscard]] int drop_uses(const std::vector<u64>& clusters);
    bool has_given_up() const { return !given_up_.empty(); }

    std::string damage;    // after damaged_image: what is wrong, as a part of a sentence

private:
    int block_of(u64 cluster, bool make, std::shared_ptr<Table>& block);
    bool has_block(u64 cluster) const;
    int make_block(u64 index);
    // Clusters one after the other, and behind them the refcount blocks that count these clusters and themselves.
    struct Stretch {
        u64 begin = 0, clusters = 0, blocks = 0;
        u64 end() const { return begin + clusters + blocks; }
    };
    Stretch behind_all(u64 clusters) const;
    int take(const Stretch& place);
    int grow_table(u64 entries);
    int allocate_behind_all(u64 clusters, Run& run);
    int find_free(u64 most, bool whole, Run& run);
    u64 load_count(const Table& block, u64 index) const;
    void store_count(Table& block, u64 index, u64 count);
    int damaged(std::string why);

    ImageFile& file_;
    Header& header_;
    TableCache blocks_;
    std::vector<u64> table_;    // entries: the file's offset of a block, or 0
    u64 table_dirty_from_ = ~u64(0), table_dirty_to_ = 0;    // entries
    bool table_moved_ = false;    // to where header_ says, and the file does not
    u64 hint_ = 1;    // no cluster before this one is free
    bool append_only_ = false;
    u64 known_zeroes_ = 0;    // clusters from here on were never written
    u64 file_clusters_ = 0;    // when it was opened
    std::vector<u64> given_up_;
    std::unordered_set<u64> protected_;    // cluster numbers
};

}
