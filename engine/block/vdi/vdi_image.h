#pragma once
// VirtualBox's VDI, dynamic and of fixed size, to be read: the header of version 1.1 as VirtualBox writes it (its VDICore.h
// names the fields). Not modelled: images that differ from another one.

#include "engine/block/foreign_image.h"

namespace engine {

class VdiImage final : public ForeignImage {
public:
    // Checks header and table. `path` is for errors.
    static Result<std::shared_ptr<ImageLayer>> open(const std::string& path, std::unique_ptr<ImageFile> file);
    std::string_view format() const override { return "vdi"; }

private:
    VdiImage(std::string path, std::unique_ptr<ImageFile> file) : ForeignImage(std::move(path)), file_(std::move(file)) { }
    Result<void> load();
    int place(u64 offset, u64 most, Place& place) override;

    std::unique_ptr<ImageFile> file_;
    u64 data_ = 0, block_size_ = 0, stride_ = 0;    // bytes
    std::vector<u32> blocks_;
};

}
