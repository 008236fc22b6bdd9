#pragma once
// Names and places of the qcow2 format, versions 2 and 3, as docs/interop/qcow2.txt of QEMU specifies it. All numbers in the
// file are big-endian.

#include "engine/base/types.h"

namespace engine::qcow2 {

constexpr u32 magic = 0x514649fb;    // "QFI\xfb"

// The header, by byte offset.
constexpr u32 header_version = 4, header_backing_file_offset = 8, header_backing_file_size = 16, header_cluster_bits = 20,
              header_size = 24, header_crypt_method = 32, header_l1_size = 36, header_l1_table_offset = 40,
              header_refcount_table_offset = 48, header_refcount_table_clusters = 56, header_nb_snapshots = 60,
              header_snapshots_offset = 64, header_incompatible_features = 72, header_compatible_features = 80,
              header_autoclear_features = 88, header_refcount_order = 96, header_header_length = 100,
              header_compression_type = 104;
constexpr u32 header_bytes_v2 = 72, header_bytes_v3 = 104, header_bytes_with_compression = 112;

constexpr u64 incompatible_dirty = 1 << 0, incompatible_corrupt = 1 << 1, incompatible_external_data = 1 << 2,
              incompatible_compression = 1 << 3, incompatible_extended_l2 = 1 << 4;
constexpr u64 compatible_lazy_refcounts = 1 << 0;
constexpr u64 autoclear_bitmaps = 1 << 0;

// Header extensions, by type.
constexpr u32 extension_end = 0, extension_backing_format = 0xe2792aca, extension_feature_names = 0x6803f857,
              extension_bitmaps = 0x23852875, extension_encryption = 0x0537be77, extension_external_data = 0x44415441;

enum class Compression : u8 { zlib, zstd };

// Entries of L1 and L2 tables.
constexpr u64 copied = u64(1) << 63;    // refcount is exactly one
constexpr u64 l2_compressed = u64(1) << 62;
constexpr u64 l2_reads_as_zero = 1;
constexpr u64 offset_bits = 0x00fffffffffffe00;    // bits 9 to 55

// What QEMU accepts at most, so that whoever follows the specification can open what we write and we need no more memory.
constexpr u64 largest_l1 = 32 << 20, largest_refcount_table = 8 << 20, largest_snapshot_table = 64 << 20;    // bytes
constexpr u32 most_snapshots = 65536, longest_backing_file = 1023;
constexpr u32 least_cluster_bits = 9, most_cluster_bits = 21;
constexpr u64 largest_file = u64(1) << 55;

}
