#pragma once
// Raw images: the bytes of a disk, floppy or optical disc as they are, in a file or a host's block device.
//
// A file is locked while it is open, with open-file-description locks on the bytes that QEMU uses for the same end (100
// onwards: what is done with the image, 200 onwards: what others may not do), so that neither program opens an image that
// the other one writes to. Reading can be shared. File systems without such locks are used without.

#include <memory>
#include <string>

#include "engine/base/file_descriptor.h"
#include "engine/block/block_device.h"
#include "engine/block/request_queue.h"

namespace engine {

class RawFile final : public BlockDevice {
public:
    enum class Access : u8 { read_write, read_only };
    // disk: 512-byte sectors, and the size must be whole sectors. optical: 2048-byte sectors, always read-only; a last
    // sector that is cut short reads as zeroes from there on.
    enum class Medium : u8 { disk, optical };

    static Result<std::unique_ptr<RawFile>> open(const std::string& path, Medium medium, Access access, WorkerPool& workers);

    void submit(BlockRequest request, CancelToken token, Completion done) override;
    u64 size() const override { return size_; }
    u32 sector_size() const override { return sector_size_; }
    bool read_only() const override { return read_only_; }
    std::string_view name() const override { return path_; }

private:
    RawFile(std::string path, FileDescriptor file, u64 size, u32 sector_size, bool read_only, WorkerPool& workers);

    BlockResult execute(const BlockRequest& request) const;
    BlockResult transfer(const BlockRequest& request) const;
    BlockResult punch(const BlockRequest& request) const;
    BlockResult fill_with_zeroes(u64 offset, u64 length) const;
    BlockResult failed(const char* doing, int error_number) const;

    std::string path_;
    FileDescriptor file_;
    u64 size_;
    u32 sector_size_;
    bool read_only_;
    RequestQueue requests_;    // last: its end waits for users of the above
};

// Makes a sparse image of `size` bytes, rounded up to whole sectors of 512. An existing file is never touched; on failure
// nothing is left behind.
Result<void> create_raw(const std::string& path, u64 size);

}
