#pragma once
// Microsoft's VHD, dynamic and of fixed size, to be read: Virtual Hard Disk Image Format Specification 1.0. Not modelled:
// images that differ from another one, and checksums (a header that makes sense is believed).

#include "engine/block/foreign_image.h"

namespace engine {

class VhdImage final : public ForeignImage {
public:
    // Checks footer, header and table. `path` is for errors.
    static Result<std::shared_ptr<ImageLayer>> open(const std::string& path, std::unique_ptr<ImageFile> file);
    std::string_view format() const override { return "vpc"; }

private:
    VhdImage(std::string path, std::unique_ptr<ImageFile> file) : ForeignImage(std::move(path)), file_(std::move(file)) { }
    Result<void> load();
    Result<void> load_dynamic(u64 header_offset);
    int place(u64 offset, u64 most, Place& place) override;

    std::unique_ptr<ImageFile> file_;
    bool fixed_ = false;
    u64 block_size_ = 0, bitmap_size_ = 0;    // bytes
    std::vector<u32> blocks_;    // sectors of the file
};

}
