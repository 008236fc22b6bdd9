// Multiboot kernels. Multiboot Specification version 0.6.96: ELF (32-bit, and 64-bit with a 32-bit entry) or the address
// fields of the header; the RAM disk becomes the one module.
//
// Not modelled: the video fields (flag 2; the kernel finds VGA text mode), boot device, symbols, drives, APM table.

#include <algorithm>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/machine/firmware/boot_plan.h"

namespace engine {

namespace {
// 3.1: the header
constexpr u32 header_magic = 0x1badb002, header_addresses = 1 << 16, header_understood = 0x0007, header_required = 0xffff;
constexpr std::size_t search_limit = 8192, header_size = 12, header_with_addresses = 32;
// 3.2 and 3.3: machine state and information
constexpr u32 loader_magic = 0x2badb002;
enum InfoFlags : u32 {
    info_memory = 1 << 0,
    info_command_line = 1 << 2,
    info_modules = 1 << 3,
    info_map = 1 << 6,
    info_name = 1 << 9
};
enum InfoField : std::size_t {
    flags_at = 0,
    mem_lower_at = 4,
    mem_upper_at = 8,
    cmdline_at = 16,
    mods_count_at = 20,
    mods_addr_at = 24,
    mmap_length_at = 44,
    mmap_addr_at = 48,
    boot_loader_name_at = 64,
    info_size = 120,
};
constexpr u32 map_ram = 1, map_reserved = 2;

// ELF: offsets in the file and program headers
constexpr u32 elf_magic = 0x464c457f;
constexpr u8 elf_32 = 1, elf_64 = 2, little_endian = 1;
constexpr u16 machine_386 = 3, machine_x86_64 = 62;
constexpr u32 segment_load = 1;
constexpr unsigned segment_limit = 256;

constexpr u64 conventional_end = 0x9fc00, conventional_size = 0xa0000, legacy_end = 0x100000, kib = 1024;
constexpr u64 first_info_address = 0x10000, info_step = 0x10000, last_info_address = 0x80000;

Error unusable(const BootFiles& files, const std::string& why, const std::string& what_to_do)
{
    return {text("Cannot boot the kernel ", files.kernel_path), why, what_to_do};
}

Error damaged(const BootFiles& files, const std::string& why)
{
    return unusable(files, why, "Get or build the file again");
}

std::size_t find_header(std::span<const u8> kernel)
{
    const std::size_t end = std::min(kernel.size(), search_limit);
    for (std::size_t at = 0; at + header_size <= end; at += 4)
        if (load_le<u32>(&kernel[at]) == header_magic
            && u32(header_magic + load_le<u32>(&kernel[at + 4]) + load_le<u32>(&kernel[at + 8])) == 0)
            return at;
    return kernel.size();
}

// Adds a loadable stretch if the board has RAM there.
Result<void> add_stretch(BootPlan& plan, const BootFiles& files, u64 memory_end, u64 address, u64 size, std::span<const u8> bytes)
{
    if (size == 0)
        return {};
    u64 total = size;
    for (const BootPlan::Piece& piece : plan.pieces)
        total += piece.size;
    const bool in_low = address < conventional_size && size <= conventional_size - address;
    const bool in_high = address >= legacy_end && address < memory_end && size <= memory_end - address;
    if ((!in_low && !in_high) || total > memory_end)
        return unusable(
            files, text("Its part at ", hex(address), " of ", size, " bytes does not fit the machine's memory"),
            "Give the machine more memory");
    plan.pieces.push_back({address, size, bytes});
    return {};
}

Result<void> load_by_addresses(BootPlan& plan, const BootFiles& files, u64 memory_end, std::size_t header)
{
    const std::span<const u8> kernel = files.kernel;
    if (kernel.size() - header < header_with_addresses)
        return damaged(files, "Its Multiboot header is cut short");
    const auto word = [&](std::size_t n) { return u64(load_le<u32>(&kernel[header + header_size + 4 * n])); };
    const u64 header_addr = word(0), load_addr = word(1), load_end = word(2), bss_end = word(3), entry = word(4);
    if (load_addr > header_addr || header_addr - load_addr > header)
        return damaged(files, "The addresses in its Multiboot header contradict each other");
    const std::size_t start = header - std::size_t(header_addr - load_addr);
    const u64 available = kernel.size() - start;
    const u64 length = load_end ? load_end - load_addr : available;
    if ((load_end && load_end < load_addr) || length > available)
        return damaged(files, "The file is shorter than its Multiboot header says");
    const u64 end = std::max(bss_end, load_addr + length);
    plan.instruction_pointer = u32(entry);
    return add_stretch(plan, files, memory_end, load_addr, end - load_addr, kernel.subspan(start, length));
}

struct ProgramHeader {
    u32 type;
    u64 offset, virtual_address, address, file_size, memory_size;
};

ProgramHeader program_header(const u8* at, bool wide)
{
    const auto quad = [&](std::size_t n) { return load_le<u64>(at + n); };
    const auto word = [&](std::size_t n) { return load_le<u32>(at + n); };
    if (wide)
        return {word(0), quad(8), quad(16), quad(24), quad(32), quad(40)};
    return {word(0), word(4), word(8), word(12), word(16), word(20)};
}

Result<void> load_elf(BootPlan& plan, const BootFiles& files, u64 memory_end)
{
    const std::span<const u8> kernel = files.kernel;
    constexpr std::size_t header_32 = 52, header_64 = 64, entry_32 = 32, entry_64 = 56;
    const bool wide = kernel.size() >= header_64 && kernel[4] == elf_64;
    if (kernel.size() < header_32 || load_le<u32>(&kernel[0]) != elf_magic || (kernel[4] != elf_32 && !wide)
        || kernel[5] != little_endian)
        return unusable(
            files, "It has a Multiboot header but is neither an ELF file nor says where it loads", "Build it as an ELF file");
    const u16 machine = load_le<u16>(&kernel[18]);
    if (machine != machine_386 && machine != machine_x86_64)
        return unusable(files, "It is built for another processor", "Build it for x86");
    const u64 entry = wide ? load_le<u64>(&kernel[24]) : load_le<u32>(&kernel[24]);
    const u64 table = wide ? load_le<u64>(&kernel[32]) : load_le<u32>(&kernel[28]);
    const u16 stride = load_le<u16>(&kernel[wide ? 54 : 42]), count = load_le<u16>(&kernel[wide ? 56 : 44]);
    if (count > segment_limit || stride < (wide ? entry_64 : entry_32) || table > kernel.size()
        || u64(stride) * count > kernel.size() - table)
        return damaged(files, "Its table of program headers is cut short");

    u64 physical_entry = entry;
    for (unsigned n = 0; n < count; ++n) {
        const ProgramHeader segment = program_header(&kernel[table + u64(n) * stride], wide);
        if (segment.type != segment_load)
            continue;
        if (segment.offset > kernel.size() || segment.file_size > kernel.size() - segment.offset
            || segment.file_size > segment.memory_size)
            return damaged(files, "The file is shorter than its program headers say");
        const auto added = add_stretch(
            plan, files, memory_end, segment.address, segment.memory_size,
            kernel.subspan(std::size_t(segment.offset), std::size_t(segment.file_size)));
        if (!added)
            return added.error();
        if (entry >= segment.virtual_address && entry - segment.virtual_address < segment.memory_size)
            physical_entry = segment.address + (entry - segment.virtual_address);
    }
    if (plan.pieces.empty() || physical_entry > 0xffffffff)
        return damaged(files, "It has nothing to load, or its entry lies above 4 GiB");
    plan.instruction_pointer = u32(physical_entry);
    return {};
}

// The information structure and what it points to, one block in conventional memory.
class InfoBlock {
public:
    explicit InfoBlock(u64 address) : address_(address), bytes_(info_size) { }

    void set(InfoField field, u64 value) { store_le<u32>(&bytes_[field], u32(value)); }
    void add_flags(u32 flags) { set(flags_at, load_le<u32>(&bytes_[flags_at]) | flags); }
    u64 append(std::span<const u8> more)
    {
        bytes_.resize(round_up(bytes_.size(), 8));
        const u64 at = address_ + bytes_.size();
        bytes_.insert(bytes_.end(), more.begin(), more.end());
        return at;
    }
    u64 append_text(std::string_view words)
    {
        std::vector<u8> bytes(words.begin(), words.end());
        bytes.push_back(0);
        return append(bytes);
    }
    std::vector<u8> take() { return std::move(bytes_); }

private:
    u64 address_;
    std::vector<u8> bytes_;
};

std::vector<u8> memory_map(const BoardDescription& board, u64 memory_end)
{
    struct Entry {
        u64 first, end;
        u32 type;
    };
    const Entry entries[] = {
        {0, conventional_end, map_ram},
        {conventional_end, conventional_size, map_reserved},
        {0xf0000, legacy_end, map_reserved},
        {legacy_end, memory_end, map_ram},
        {memory_end, board.low_memory, map_reserved},
        {BoardDescription::kvm_pages, BoardDescription::four_gib, map_reserved},
        {BoardDescription::four_gib, BoardDescription::four_gib + board.high_memory, map_ram},
    };
    constexpr u32 entry_size = 20;    // without the size field itself
    std::vector<u8> map;
    for (const Entry& entry : entries) {
        if (entry.end <= entry.first)
            continue;
        map.resize(map.size() + 4 + entry_size);
        u8* at = &map[map.size() - 4 - entry_size];
        store_le<u32>(at, entry_size);
        store_le<u64>(at + 4, entry.first);
        store_le<u64>(at + 12, entry.end - entry.first);
        store_le<u32>(at + 20, entry.type);
    }
    return map;
}

Result<u64> place_module(BootPlan& plan, const BootFiles& files, u64 memory_end)
{
    u64 end = legacy_end;
    for (const BootPlan::Piece& piece : plan.pieces)
        end = std::max(end, piece.address + piece.size);
    const u64 address = round_up(end, page_size);
    if (address > memory_end || files.initrd.size() > memory_end - address)
        return unusable(
            files, text("Its module of ", files.initrd.size(), " bytes does not fit beside it"), "Give the machine more memory");
    plan.add(address, files.initrd);
    return address;
}

// A place in conventional memory that no piece touches; 0 where there is none.
u64 free_low_address(const BootPlan& plan, u64 size)
{
    for (u64 at = first_info_address; at <= last_info_address && size <= info_step; at += info_step)
        if (std::ranges::none_of(plan.pieces, [&](const auto& p) { return p.address < at + size && at < p.address + p.size; }))
            return at;
    return 0;
}

// Fills in everything the kernel is told; false if there is no room.
Result<void> add_information(BootPlan& plan, const BootFiles& files, const BoardDescription& board, u64 memory_end)
{
    u64 module_address = 0;
    if (!files.initrd.empty()) {
        auto placed = place_module(plan, files, memory_end);
        if (!placed)
            return placed.error();
        module_address = *placed;
    }
    const std::string command_line
        = files.command_line.empty() ? files.kernel_path : text(files.kernel_path, " ", files.command_line);
    constexpr u64 fixed_parts = 1024;
    const u64 address = free_low_address(plan, command_line.size() + fixed_parts);
    if (address == 0)
        return unusable(files, "The kernel leaves no room for its command line below 640 KiB", "Shorten the command line");

    InfoBlock info(address);
    info.add_flags(info_memory | info_command_line | info_map | info_name);
    info.set(mem_lower_at, conventional_end / kib);
    info.set(mem_upper_at, (memory_end - legacy_end) / kib);
    info.set(cmdline_at, info.append_text(command_line));
    info.set(boot_loader_name_at, info.append_text("Paddock"));
    const std::vector<u8> map = memory_map(board, memory_end);
    info.set(mmap_length_at, map.size());
    info.set(mmap_addr_at, info.append(map));
    if (!files.initrd.empty()) {
        std::array<u8, 16> module{};
        store_le<u32>(&module[0], u32(module_address));
        store_le<u32>(&module[4], u32(module_address + files.initrd.size()));
        store_le<u32>(&module[8], u32(info.append_text("initrd")));
        info.add_flags(info_modules);
        info.set(mods_count_at, 1);
        info.set(mods_addr_at, info.append(module));
    }
    constexpr std::array<u64, 3> descriptors{0, 0x00cf9b000000ffff, 0x00cf93000000ffff};    // null, flat code, flat data
    plan.descriptor_table = u32(info.append({reinterpret_cast<const u8*>(descriptors.data()), sizeof descriptors}));
    plan.ebx = u32(address);
    plan.add_owned(address, info.take());
    return {};
}
}

bool is_multiboot_kernel(std::span<const u8> kernel)
{
    return find_header(kernel) != kernel.size();
}

Result<BootPlan> plan_multiboot(const BootFiles& files, const BoardDescription& board)
{
    const std::size_t header = find_header(files.kernel);
    if (header == files.kernel.size())
        return unusable(files, "It is not a Multiboot kernel", "Name a Multiboot kernel");
    const u32 flags = load_le<u32>(&files.kernel[header + 4]);
    if (flags & header_required & ~header_understood)
        return unusable(
            files, text("It demands Multiboot features that are unknown here (", hex(flags), ")"), "Use another kernel");

    const u64 memory_end = boot_memory_end(board);
    BootPlan plan;
    plan.entry = BootPlan::Entry::flat_32;
    plan.eax = loader_magic;
    const auto loaded
        = flags & header_addresses ? load_by_addresses(plan, files, memory_end, header) : load_elf(plan, files, memory_end);
    if (!loaded)
        return loaded.error();
    const auto informed = add_information(plan, files, board, memory_end);
    if (!informed)
        return informed.error();
    return plan;
}

}
