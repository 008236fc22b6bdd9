#pragma once
// What a PC is made of before it is put together: everything whose making can fail.

#include <functional>
#include <memory>
#include <optional>

#include "engine/base/file_descriptor.h"
#include "engine/block/disk_image.h"
#include "engine/block/worker.h"
#include "engine/device/storage/floppy_geometry.h"
#include "engine/engine.h"
#include "engine/machine/firmware/board_description.h"
#include "engine/machine/firmware/direct_boot.h"
#include "engine/machine/firmware/variable_store.h"
#include "engine/memory/memory_block.h"

namespace engine {

struct FloppyDisk {
    std::unique_ptr<BlockDevice> image;    // may be null
    FloppyGeometry geometry;
};

struct PcParts {
    BoardDescription description;
    std::unique_ptr<MemoryBlock> ram;    // low memory, then what stands from 4 GiB on
    std::unique_ptr<MemoryBlock> bios;
    std::unique_ptr<MemoryBlock> variables;    // of firmware in flash, null where the BIOS is a ROM
    std::optional<VariableFile> variable_file;    // where they are kept, if they are
    std::unique_ptr<MemoryBlock> vga_bios;    // a power of two
    std::unique_ptr<MemoryBlock> video_memory;
    std::vector<std::unique_ptr<DiskImage>> disks;
    std::unique_ptr<BlockDevice> cdrom;    // may be null
    FloppyDisk floppy;
    std::function<Result<std::unique_ptr<DirectBoot>>()> prepare_direct_boot;    // empty where firmware boots
    std::unique_ptr<DirectBoot> direct_boot;    // null until it is prepared
    FileDescriptor serial_file;

    // RAM ends here below 4 GiB; the rest goes above. Firmware takes what follows for PCI.
    static constexpr u64 low_memory_end = 0xc0000000;
};

// Opens images and firmware; the definition has been checked. The pool outlives the parts.
Result<PcParts> gather_pc_parts(const MachineDefinition& definition, WorkerPool& workers);

Result<std::unique_ptr<BlockDevice>> open_disc(const std::string& path, WorkerPool& workers);
// A disk of the definition, with the images below it.
Result<std::unique_ptr<DiskImage>> open_disk(const MachineDefinition& definition, std::size_t number, WorkerPool& workers);
// An image that can't be written is a write-protected floppy.
Result<FloppyDisk> open_floppy(const std::string& path, WorkerPool& workers);

}
