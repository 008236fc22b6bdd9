#pragma once
// New, empty qcow2 images.

#include <string>

#include "engine/block/qcow2/header.h"

namespace engine::qcow2 {

struct NewImage {
    u64 size = 0;    // bytes of the disk, at least 1; rounded up to whole sectors of 512
    u32 version = 3;
    u32 cluster_bits = 16;
    u32 refcount_order = 4;
    bool lazy_refcounts = false;
    Compression compression = Compression::zlib;
    std::string backing_file, backing_format;    // as they will stand in the header; both or none
};

// Writes it into an empty file. Not flushed. Errors: sizes and names that the format can't hold; the host's.
Result<void> write_new_image(ImageFile& file, const NewImage& image, const std::string& path);

}
