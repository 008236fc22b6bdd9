#pragma once
// L2 tables or refcount blocks in memory, one cluster each, by where they lie in the file. What is changed stays here until it
// is taken to be written; the least recently used of the rest gives way. The image's lock is held for every call.

#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/block/image_file.h"

namespace engine::qcow2 {

struct Table {
    u64 offset = 0;    // in the file
    std::vector<u8> bytes;
    // The part that the file doesn't have yet; empty where from >= to.
    u64 dirty_from = ~u64(0), dirty_to = 0;
    unsigned writing = 0;    // copies of it that are on their way to the file

    bool dirty() const { return dirty_from < dirty_to; }
    void touch(u64 at, u64 length)
    {
        dirty_from = std::min(dirty_from, at);
        dirty_to = std::max(dirty_to, at + length);
    }
};

// Bytes on their way to the file.
struct Patch {
    u64 offset = 0;
    std::vector<u8> bytes;
    std::shared_ptr<Table> table;
};

class TableCache {
public:
    TableCache(ImageFile& file, u64 cluster_size, u64 most_bytes);

    // The table at `offset`, read where need be. An error number of <cerrno>, or 0.
    [[nodiscard]] int get(u64 offset, std::shared_ptr<Table>& to);
    bool holds(u64 offset) const { return by_offset_.contains(offset); }
    // A table of zeroes which the file doesn't have yet.
    std::shared_ptr<Table> add(u64 offset);
    // Its cluster is used for something else from now on.
    void drop(u64 offset);

    std::size_t dirty_tables() const { return dirty_; }
    void touch(Table& table, u64 at, u64 length);
    // Copies of all that is dirty, in order of offsets; it counts as clean from now on.
    std::vector<Patch> take_dirty();
    // How writing them went: what failed is dirty again.
    void written(const std::vector<Patch>& patches, bool success);

private:
    using Tables = std::list<std::shared_ptr<Table>>;
    void insert(std::shared_ptr<Table> table);

    ImageFile& file_;
    u64 cluster_size_;
    std::size_t capacity_;
    Tables tables_;    // most recently used first
    std::unordered_map<u64, Tables::iterator> by_offset_;
    std::size_t dirty_ = 0;
};

// Writes them where they belong, neighbours at once.
[[nodiscard]] int write_patches(ImageFile& file, const std::vector<Patch>& patches);

}
