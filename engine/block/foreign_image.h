#pragma once
// Images of other programs, which are read and never written: below an overlay, or to be converted. A format says where each
// stretch of the disk lies; the rest is the same for all.

#include "engine/block/image_file.h"
#include "engine/block/image_layer.h"

namespace engine {

class ForeignImage : public ImageLayer {
public:
    BlockResult execute(const BlockRequest& request) final;
    u64 size() const final { return size_; }
    bool read_only() const final { return true; }
    std::string_view name() const final { return path_; }
    Extent extent(u64 offset, u64 most) final;

protected:
    struct Place {
        u64 length = 0;    // bytes of the disk from the offset asked for, at least one sector
        bool zero = true;
        ImageFile* file = nullptr;    // else where they lie
        u64 offset = 0;
        u64 packed = 0;    // bytes there, if compressed: then `unpack` is asked for the whole of them
        u64 within = 0;    // where the offset asked for lies in what was compressed
    };
    explicit ForeignImage(std::string path) : path_(std::move(path)) { }

    // Any thread, several at once. An error number, or `damaged` for what contradicts itself.
    static constexpr int damaged = -1;
    virtual int place(u64 offset, u64 most, Place& place) = 0;
    virtual bool unpack(const Place& place, std::vector<u8>& to) { return (void)place, (void)to, false; }

    Error unusable(std::string why, std::string what_to_do = "Convert it with the program that made it") const;
    Error damage(const std::string& why) const { return unusable("it is damaged: " + why, "Use a backup of it"); }
    Error unreadable(int error_number) const { return image_failure(path_, "read", error_number).error; }

    std::string path_;
    u64 size_ = 0;    // bytes of the disk, whole sectors
};

constexpr u64 largest_foreign_table = 256 << 20;    // bytes of a table of blocks kept in memory

}
