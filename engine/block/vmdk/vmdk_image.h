#pragma once
// VMware's VMDK, to be read: VMware Virtual Disk Format 5.0. A descriptor with flat and sparse extents, monolithic sparse, and
// stream-optimised as in OVA packages. Not modelled: images that differ from another one, ESX's own sparse format (COWD).

#include <mutex>

#include "engine/block/foreign_image.h"
#include "engine/block/vmdk/vmdk_descriptor.h"

namespace engine {

class VmdkImage final : public ForeignImage {
public:
    // Checks the descriptor and the directories of all extents, whose files are opened beside `path`.
    static Result<std::shared_ptr<ImageLayer>> open(const std::string& path, std::unique_ptr<ImageFile> file);
    std::string_view format() const override { return "vmdk"; }

private:
    struct Extent {
        VmdkDescriptor::Extent::Kind kind = VmdkDescriptor::Extent::Kind::zero;
        std::unique_ptr<ImageFile> file;
        u64 begin = 0, end = 0;    // bytes of the disk
        u64 offset = 0;    // flat: bytes before it
        // sparse
        u64 grain = 0;    // bytes
        u64 grains_per_table = 0;
        bool packed = false, zero_grains = false;
        std::vector<u32> directory;    // sectors at which tables of grains lie
        u64 known_table = ~u64(0);
        std::vector<u8> table;    // the one used last
    };

    explicit VmdkImage(std::string path) : ForeignImage(std::move(path)) { }
    Result<void> load(std::unique_ptr<ImageFile> file);
    Result<void> load_described(const VmdkDescriptor& descriptor);
    Result<void> load_sparse(Extent& extent, bool alone);
    Result<void> load_directory(Extent& extent, u64 offset, u64 capacity);
    int place(u64 offset, u64 most, Place& place) override;
    int place_sparse(Extent& extent, u64 within, Place& place);
    bool unpack(const Place& place, std::vector<u8>& to) override;

    std::vector<Extent> extents_;
    std::mutex mutex_;    // guards the tables used last
};

}
