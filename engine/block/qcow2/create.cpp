#include "engine/block/qcow2/create.h"

#include <algorithm>
#include <cerrno>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/block/new_file.h"
#include "engine/block/qcow2/refcounts.h"

namespace engine::qcow2 {

namespace {

u64 clusters_for(u64 bytes, const Header& header)
{
    return round_up(std::max<u64>(bytes, 1), header.cluster_size()) >> header.cluster_bits;
}

Result<Header> plan(const NewImage& image, const std::string& path)
{
    const std::string what = "The disk image " + in_quotes(path) + " can't be created";
    Header h;
    h.version = image.version;
    h.cluster_bits = image.cluster_bits;
    h.refcount_order = image.version == 2 ? 4 : image.refcount_order;
    if (image.size == 0)
        return Error{what, "its size would be 0", "Give the disk a size"};
    if (h.cluster_bits < least_cluster_bits || h.cluster_bits > most_cluster_bits)
        return Error{what, "clusters have 512 bytes to 2 MiB", "Choose a power of two between"};
    h.size = round_up(std::min(image.size, largest_file), 512);
    const u64 entries = (h.size + h.l2_reach() - 1) / h.l2_reach();
    if (image.size > largest_file || entries > largest_l1 / 8)
        return Error{what, text("the format can't hold ", image.size, " bytes"), "Choose a smaller size, or larger clusters"};
    h.l1_size = u32(entries);
    h.backing_file = image.backing_file;
    h.backing_format = image.backing_format;
    const u64 room = h.cluster_size() - header_bytes_with_compression - 64;
    if (h.backing_file.size() > longest_backing_file || h.backing_file.size() + h.backing_format.size() > room)
        return Error{what, "the path of the image below is too long", "Put both into the same folder"};
    if (image.version >= 3) {
        h.compatible_features = image.lazy_refcounts ? compatible_lazy_refcounts : 0;
        h.compression = image.compression;
        h.incompatible_features = image.compression == Compression::zlib ? 0 : incompatible_compression;
    }
    return h;
}

}

Result<void> write_new_image(ImageFile& file, const NewImage& image, const std::string& path)
{
    auto planned = plan(image, path);
    if (!planned)
        return planned.error();
    Header& h = planned.value();
    const u64 cluster = h.cluster_size();
    const u64 l1_clusters = clusters_for(8 * u64(h.l1_size), h);
    // Refcount blocks count themselves; their table has room for a disk that is full.
    const u64 per_block = h.refcounts_per_block();
    const u64 full = clusters_for(h.size, h) + h.l1_size + l1_clusters + 64;
    const u64 table_bytes = std::min(8 * (full / per_block + full / per_block / per_block + 2), largest_refcount_table / 2);
    const u64 table_clusters = clusters_for(table_bytes, h);
    const auto used = [&](u64 block_count) { return 1 + table_clusters + block_count + l1_clusters; };
    u64 blocks = 1;
    while (blocks * per_block < used(blocks))
        ++blocks;
    h.refcount_table_offset = cluster;
    h.refcount_table_clusters = u32(table_clusters);
    const u64 first_block = (1 + table_clusters) * cluster;
    h.l1_table_offset = first_block + blocks * cluster;

    int error_number = file.resize(used(blocks) * cluster);
    const auto step = [&](auto&& action) { error_number = error_number ? error_number : action(); };
    std::vector<u8> table(8 * blocks);
    for (u64 n = 0; n < blocks; ++n)
        store_be(&table[8 * n], first_block + n * cluster);
    step([&] { return file.write(h.refcount_table_offset, table); });
    step([&] { return file.write(0, first_cluster(h)); });
    Refcounts refcounts(file, h);
    step([&] { return refcounts.load(); });
    for (u64 n = 0; n < used(blocks); ++n)
        step([&] { return refcounts.set(n, 1); });
    const auto patches = refcounts.blocks().take_dirty();
    step([&] { return write_patches(file, patches); });
    refcounts.blocks().written(patches, true);
    if (error_number)
        return cannot_create(path, error_number);
    return {};
}

}
