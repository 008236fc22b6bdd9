#include "engine/machine/board/pc_parts.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/block/open_image.h"
#include "engine/block/raw/raw_file.h"
#include "engine/device/display/std_vga.h"
#include "engine/machine/definition.h"
#include "engine/machine/firmware/boot_rom.h"
#include "engine/machine/firmware/firmware_items.h"
#include "engine/machine/firmware/rom.h"

namespace engine {

namespace {
BoardDescription describe(const MachineDefinition& definition)
{
    const u64 memory = definition.memory_mib << 20;
    BoardDescription board;
    board.low_memory = std::min(memory, PcParts::low_memory_end);
    board.high_memory = memory - board.low_memory;
    board.cpus = definition.cpus;
    board.serial_port = definition.serial != MachineDefinition::Serial::none;
    board.boot_order = usual_boot_order(definition);
    if (!definition.kernel.empty())
        board.boot_paths.push_back(rom_boot_path(boot_rom_file));
    return board;
}

Result<std::unique_ptr<MemoryBlock>> block_of(std::string name, const std::vector<u8>& bytes, u64 size)
{
    auto block = MemoryBlock::create(std::move(name), size);
    if (block)
        std::ranges::copy(bytes, block.value()->data());
    return block;
}

// What the firmware remembers, from the machine's own file. A trial begins with what its machine has now, and keeps its own.
Result<void> open_variables(PcParts& parts, const MachineDefinition& definition, std::vector<u8> content)
{
    if (content.empty())
        return {};
    std::string path = definition.firmware_variables;
    if (definition.trial) {
        if (auto now = read_whole_file(path, content.size(), "the firmware's settings"); now && now->size() == content.size())
            content = std::move(*now);
        path = trial_variables(definition.snapshots);
        ::unlink(path.c_str());
    }
    if (!path.empty()) {
        auto file = VariableFile::open(path, content);
        if (!file)
            return file.error();
        content = file->take_content();
        parts.variable_file.emplace(std::move(*file));
    }
    auto block = block_of("firmware settings", content, content.size());
    if (!block)
        return block.error();
    parts.variables = std::move(*block);
    return {};
}

Result<void> make_memory(PcParts& parts, const MachineDefinition& definition)
{
    auto images = load_firmware(definition.firmware);
    if (!images)
        return images.error();
    if (auto opened = open_variables(parts, definition, std::move(images->variables)); !opened)
        return opened.error();
    auto ram = MemoryBlock::create("RAM", parts.description.low_memory + parts.description.high_memory);
    auto bios = block_of("BIOS", images->bios, images->bios.size());
    auto vga_bios = block_of("VGA BIOS", images->vga_bios, std::bit_ceil(images->vga_bios.size()));
    auto video_memory = MemoryBlock::create("video memory", StdVga::default_video_memory);
    for (auto* block : {&ram, &bios, &vga_bios, &video_memory})
        if (!*block)
            return block->error();
    parts.ram = std::move(*ram);
    parts.bios = std::move(*bios);
    parts.vga_bios = std::move(*vga_bios);
    parts.video_memory = std::move(*video_memory);
    return {};
}

Result<void> open_images(PcParts& parts, const MachineDefinition& definition, WorkerPool& workers)
{
    for (std::size_t n = 0; n < definition.disks.size(); ++n) {
        auto disk = open_disk(definition, n, workers);
        if (!disk)
            return disk.error();
        parts.disks.push_back(std::move(*disk));
    }
    if (!definition.cdrom.empty()) {
        auto disc = open_disc(definition.cdrom, workers);
        if (!disc)
            return disc.error();
        parts.cdrom = std::move(*disc);
    }
    if (!definition.floppy.empty()) {
        auto floppy = open_floppy(definition.floppy, workers);
        if (!floppy)
            return floppy.error();
        parts.floppy = std::move(*floppy);
        parts.description.floppies[0] = FloppyDrive(parts.floppy.geometry.drive);
    }
    return {};
}

Result<void> open_serial_file(PcParts& parts, const MachineDefinition& definition)
{
    if (definition.serial != MachineDefinition::Serial::file)
        return {};
    const std::string& path = definition.serial_file;
    parts.serial_file = FileDescriptor{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
    if (!parts.serial_file.valid())
        return Error{text("The serial port can't write to ", path), system_error_text(errno), "Name a file that can be written"};
    return {};
}
}

Result<std::unique_ptr<BlockDevice>> open_disc(const std::string& path, WorkerPool& workers)
{
    return RawFile::open(path, RawFile::Medium::optical, RawFile::Access::read_only, workers);
}

Result<std::unique_ptr<DiskImage>> open_disk(const MachineDefinition& definition, std::size_t number, WorkerPool& workers)
{
    OpenOptions options{.trusted_folders = definition.image_folders};
    if (number < definition.disk_formats.size() && !definition.disk_formats[number].empty()) {
        const auto format = format_named(definition.disk_formats[number]);
        if (!format)
            return Error{
                text("The disk ", in_quotes(definition.disks[number]), " can't be opened"),
                text("its format ", in_quotes(definition.disk_formats[number]), " is not known"), "Choose another image"};
        options.format = *format;
    }
    if (number < definition.disk_caches.size() && !definition.disk_caches[number].empty()) {
        const auto cache = cache_named(definition.disk_caches[number]);
        if (!cache)
            return Error{
                text("The disk ", in_quotes(definition.disks[number]), " can't be opened"),
                text("its cache policy ", in_quotes(definition.disk_caches[number]), " is not known"),
                "Choose writeback, none or unsafe"};
        options.cache = *cache;
    }
    return open_image(definition.disks[number], ImageAccess::read_write, workers, options);
}

Result<FloppyDisk> open_floppy(const std::string& path, WorkerPool& workers)
{
    const bool readable_only = ::access(path.c_str(), R_OK) == 0 && ::access(path.c_str(), W_OK) != 0;
    auto image = RawFile::open(
        path, RawFile::Medium::disk, readable_only ? RawFile::Access::read_only : RawFile::Access::read_write, workers);
    if (!image)
        return image.error();
    auto geometry = floppy_geometry(image.value()->size(), path);
    if (!geometry)
        return geometry.error();
    return FloppyDisk{std::move(*image), *geometry};
}

Result<PcParts> gather_pc_parts(const MachineDefinition& definition, WorkerPool& workers)
{
    PcParts parts;
    parts.description = describe(definition);
    if (auto opened = open_images(parts, definition, workers); !opened)
        return opened.error();
    if (auto made = make_memory(parts, definition); !made)
        return made.error();
    if (auto opened = open_serial_file(parts, definition); !opened)
        return opened.error();
    if (!definition.kernel.empty()) {
        parts.prepare_direct_boot = [=, description = parts.description] {
            return DirectBoot::prepare(definition.kernel, definition.initrd, definition.append, description);
        };
        // A machine that goes on from a snapshot reads its kernel when the guest resets itself.
        if (!definition.start_from.empty() && definition.start_from != MachineDefinition::start_cold)
            return parts;
        auto kernel = parts.prepare_direct_boot();
        if (!kernel)
            return kernel.error();
        parts.direct_boot = std::move(*kernel);
    }
    return parts;
}

}
