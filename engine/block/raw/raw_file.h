#pragma once
// Raw images: the bytes of a disk, floppy or optical disc as they are, in a file or a host's block device.

#include <memory>
#include <string>

#include "engine/block/disk_image.h"
#include "engine/block/image_file.h"

namespace engine {

class RawFile final : public ImageLayer {
public:
    using Access = ImageAccess;
    // disk: 512-byte sectors, and the size must be whole sectors. optical: 2048-byte sectors, always read-only; a last
    // sector that is cut short reads as zeroes from there on.
    enum class Medium : u8 { disk, optical };

    static Result<std::shared_ptr<RawFile>>
    open_layer(const std::string& path, Medium medium, Access access, DiskCache cache = DiskCache::writeback);
    static Result<std::unique_ptr<BlockDevice>> open(const std::string& path, Medium medium, Access access, WorkerPool& workers);

    BlockResult execute(const BlockRequest& request) override;
    bool read_at_once(const BlockRequest& request) override;
    std::optional<Place> place(const BlockRequest& request) override;
    bool past_cache() const override { return file_->past_cache(); }
    bool write_in_place(const BlockRequest& request) override;
    u64 size() const override { return size_; }
    u32 sector_size() const override { return sector_size_; }
    bool read_only() const override { return read_only_; }
    std::string_view name() const override { return path_; }
    std::string_view format() const override { return "raw"; }
    Extent extent(u64 offset, u64 most) override;
    BlockResult seal() override;
    Result<void> resize(u64 size);    // no request is under way

private:
    RawFile(std::string path, std::unique_ptr<ImageFile> file, u64 file_size, u32 sector_size, bool read_only);

    BlockResult transfer(const BlockRequest& request);
    BlockResult clear(const BlockRequest& request);

    std::string path_;
    std::unique_ptr<ImageFile> file_;
    u64 file_size_, size_;
    u32 sector_size_;
    std::atomic<bool> read_only_;
};

// Makes a sparse image of `size` bytes, rounded up to whole sectors of 512. An existing file is never touched; on failure
// nothing is left behind.
Result<void> create_raw(const std::string& path, u64 size);

}
