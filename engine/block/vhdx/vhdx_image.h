#pragma once
// Microsoft's VHDX, dynamic and of fixed size, to be read: [MS-VHDX]. The log of one that was not closed in order is replayed in
// memory. Not modelled: images that differ from another one.

#include "engine/block/foreign_image.h"

namespace engine {

class VhdxImage final : public ForeignImage {
public:
    // Checks headers, regions, metadata and the table. `path` is for errors.
    static Result<std::shared_ptr<ImageLayer>> open(const std::string& path, std::unique_ptr<ImageFile> file);
    std::string_view format() const override { return "vhdx"; }

private:
    struct Region {
        u64 offset = 0;
        u32 length = 0;
    };
    VhdxImage(std::string path, std::unique_ptr<ImageFile> file) : ForeignImage(std::move(path)), file_(std::move(file)) { }
    Result<void> load();
    Result<void> check_headers();
    Result<void> replay_log(std::span<const u8> header);
    Result<void> find_regions();
    Result<void> read_metadata();
    Result<void> read_table();
    int place(u64 offset, u64 most, Place& place) override;

    std::unique_ptr<ImageFile> file_;
    Region table_region_, metadata_region_;
    u64 block_size_ = 0, logical_sector_ = 512;    // bytes
    u64 chunk_ratio_ = 1;    // payload blocks for each sector bitmap block
    std::vector<u64> blocks_;
};

}
