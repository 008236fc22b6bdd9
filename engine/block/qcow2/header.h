#pragma once
// The header of a qcow2 image with its extensions: read with every check that needs no table, and written.

#include <string>
#include <vector>

#include "engine/block/image_file.h"
#include "engine/block/qcow2/layout.h"

namespace engine::qcow2 {

struct Header {
    u32 version = 3;
    u32 cluster_bits = 16;
    u64 size = 0;    // bytes of the disk
    u32 l1_size = 0;    // entries
    u64 l1_table_offset = 0;
    u64 refcount_table_offset = 0;
    u32 refcount_table_clusters = 0;
    u32 refcount_order = 4;    // a refcount has 1 << refcount_order bits
    u32 nb_snapshots = 0;
    u64 snapshots_offset = 0;
    u64 incompatible_features = 0, compatible_features = 0, autoclear_features = 0;
    Compression compression = Compression::zlib;
    std::string backing_file, backing_format;    // "" for none, or not said
    struct {
        u32 count = 0;
        u64 directory_offset = 0, directory_size = 0;
    } bitmaps;    // where the autoclear bit says that they are sound

    u64 cluster_size() const { return u64(1) << cluster_bits; }
    u32 l2_entries() const { return u32(1) << (cluster_bits - 3); }
    u64 refcounts_per_block() const { return u64(1) << (cluster_bits + 3 - refcount_order); }
    u64 l2_reach() const { return cluster_size() * l2_entries(); }    // bytes of disk that an L2 table describes
    bool dirty() const { return incompatible_features & incompatible_dirty; }
    bool corrupt() const { return incompatible_features & incompatible_corrupt; }
};

// `path` stands for the image in errors. What this reader can't do (encryption, external data files, extended L2 entries,
// unknown incompatible features) is refused by name.
Result<Header> read_header(ImageFile& file, const std::string& path);

// The first cluster of a new image: header and extensions. The backing file's name fits (longest_backing_file).
std::vector<u8> first_cluster(const Header& header);

// The fields of an existing header that change: one write within one sector. The rest of the cluster stays.
[[nodiscard]] int update_header(ImageFile& file, const Header& header);

}
