// Linux bzImages. Linux kernel documentation, x86/boot: the real-mode entry of protocol 2.02 and later.
//
// The setup code runs as from any boot loader, so the kernel asks the BIOS for memory map and video modes itself.

#include <algorithm>
#include <charconv>
#include <optional>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/machine/firmware/boot_plan.h"

namespace engine {

namespace {
// The setup header, offsets from the start of the file
enum HeaderField : std::size_t {
    setup_sects = 0x1f1,
    vid_mode = 0x1fa,
    boot_flag = 0x1fe,
    header_magic = 0x202,
    protocol_version = 0x206,
    type_of_loader = 0x210,
    loadflags = 0x211,
    ramdisk_image = 0x218,
    ramdisk_size = 0x21c,
    heap_end_ptr = 0x224,
    cmd_line_ptr = 0x228,
    initrd_addr_max = 0x22c,
    cmdline_size = 0x238,
    pref_address = 0x258,
    init_size = 0x260,
    header_end = 0x268,
};
constexpr u16 boot_flag_value = 0xaa55;
constexpr u32 header_magic_value = 0x53726448;    // "HdrS"
constexpr u16 oldest_protocol = 0x0202, protocol_initrd_max = 0x0203, protocol_cmdline_size = 0x0206, protocol_init_size = 0x020a;
constexpr u8 loaded_high = 0x01, can_use_heap = 0x80, undefined_loader = 0xff;
constexpr std::size_t sector = 512, default_setup_sectors = 4, largest_setup = 0x8000;
constexpr u32 default_initrd_max = 0x37ffffff, default_cmdline_size = 255, command_line_room = 0xffff;

// Our choice: setup code, stack and heap in one segment, the command line in the next.
constexpr u32 setup_address = 0x10000, command_line_address = 0x20000;
constexpr u16 heap_end = 0xe000;

Error unusable(const BootFiles& files, const std::string& why, const std::string& what_to_do)
{
    return {text("Cannot boot the kernel ", files.kernel_path), why, what_to_do};
}

std::string mebibytes(u64 size)
{
    return text(round_up(size, 0x100000) >> 20, " MiB");
}

// The "vga=" option is the boot loader's to read (x86/boot, "Special Command Line Options").
std::optional<u16> video_mode(std::string_view command_line)
{
    constexpr std::string_view option = "vga=";
    std::size_t at = 0;
    while ((at = command_line.find(option, at)) != command_line.npos && at != 0 && command_line[at - 1] != ' ')
        ++at;
    if (at == command_line.npos)
        return {};
    std::string_view value = command_line.substr(at + option.size());
    value = value.substr(0, value.find(' '));
    if (value == "normal")
        return u16(0xffff);
    if (value == "ext")
        return u16(0xfffe);
    if (value == "ask")
        return u16(0xfffd);
    const bool is_hex = value.starts_with("0x") || value.starts_with("0X");
    u16 number = 0;
    const std::string_view digits = is_hex ? value.substr(2) : value;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, is_hex ? 16 : 10);
    if (error != std::errc() || end != digits.data() + digits.size())
        return {};
    return number;
}

struct LinuxImage {
    std::span<const u8> setup, payload;
    u16 version;
    u32 initrd_max, command_line_limit;
    u64 needed_end;    // of the memory in which the kernel unpacks itself
};

Result<LinuxImage> parse(const BootFiles& files, u64 memory_end)
{
    const std::span<const u8> kernel = files.kernel;
    const char* const get_another = "Use a bzImage of Linux 2.4 or later, such as a distribution's vmlinuz";
    LinuxImage image{};
    image.version = load_le<u16>(&kernel[protocol_version]);
    if (image.version < oldest_protocol || !(kernel[loadflags] & loaded_high))
        return unusable(files, "It is a zImage or older than boot protocol 2.02", get_another);
    const std::size_t sectors = kernel[setup_sects] ? kernel[setup_sects] : default_setup_sectors;
    const std::size_t setup_size = (sectors + 1) * sector;
    if (setup_size > largest_setup || setup_size >= kernel.size())
        return unusable(files, "The file is cut short or its header is damaged", "Get the file again");
    image.setup = kernel.first(setup_size);
    image.payload = kernel.subspan(setup_size);

    image.initrd_max = image.version >= protocol_initrd_max ? load_le<u32>(&kernel[initrd_addr_max]) : default_initrd_max;
    image.command_line_limit
        = image.version >= protocol_cmdline_size ? load_le<u32>(&kernel[cmdline_size]) : default_cmdline_size;
    image.command_line_limit = std::min(image.command_line_limit, command_line_room);
    image.needed_end = boot_high_start + image.payload.size();
    if (image.version >= protocol_init_size && setup_size >= header_end) {
        const u64 preferred = std::max(load_le<u64>(&kernel[pref_address]), boot_high_start);
        const u64 size = load_le<u32>(&kernel[init_size]);
        if (preferred >= memory_end)
            return unusable(
                files, text("It wants to run at ", mebibytes(preferred), ", above this machine's memory"),
                "Give the machine more memory");
        image.needed_end = std::max(image.needed_end, preferred + size);
    }
    if (image.needed_end > memory_end)
        return unusable(
            files, text("It needs ", mebibytes(image.needed_end + boot_firmware_reserve), " of memory to start"),
            "Give the machine more memory");
    return image;
}

Result<u64> initrd_address(const BootFiles& files, const LinuxImage& image, u64 memory_end)
{
    const u64 top = std::min(u64(image.initrd_max) + 1, memory_end);
    const u64 size = files.initrd.size();
    if (size > top || ((top - size) & ~page_mask) < image.needed_end)
        return unusable(
            files, text("Its initial RAM disk of ", mebibytes(size), " does not fit beside it"), "Give the machine more memory");
    return (top - size) & ~page_mask;
}
}

bool is_linux_kernel(std::span<const u8> kernel)
{
    return kernel.size() >= 2 * sector && load_le<u16>(&kernel[boot_flag]) == boot_flag_value
        && load_le<u32>(&kernel[header_magic]) == header_magic_value;
}

Result<BootPlan> plan_linux(const BootFiles& files, const BoardDescription& board)
{
    if (!is_linux_kernel(files.kernel))
        return unusable(files, "It is not a Linux bzImage", "Name a bzImage, such as a distribution's vmlinuz");
    const u64 memory_end = boot_memory_end(board);
    auto parsed = parse(files, memory_end);
    if (!parsed)
        return parsed.error();
    const LinuxImage& image = *parsed;
    if (files.command_line.size() > image.command_line_limit)
        return unusable(
            files,
            text(
                "The command line is ", files.command_line.size(), " characters long and this kernel takes ",
                image.command_line_limit),
            "Shorten the command line");

    BootPlan plan;
    std::vector<u8> setup(image.setup.begin(), image.setup.end());
    setup[type_of_loader] = undefined_loader;
    setup[loadflags] |= can_use_heap;
    store_le<u16>(&setup[heap_end_ptr], u16(heap_end - sector));
    store_le<u32>(&setup[cmd_line_ptr], command_line_address);
    if (const auto mode = video_mode(files.command_line))
        store_le<u16>(&setup[vid_mode], *mode);
    if (!files.initrd.empty()) {
        auto address = initrd_address(files, image, memory_end);
        if (!address)
            return address.error();
        store_le<u32>(&setup[ramdisk_image], u32(*address));
        store_le<u32>(&setup[ramdisk_size], u32(files.initrd.size()));
        plan.add(*address, files.initrd);
    }
    plan.add_owned(setup_address, std::move(setup));
    std::vector<u8> command_line(files.command_line.begin(), files.command_line.end());
    command_line.push_back(0);
    plan.add_owned(command_line_address, std::move(command_line));
    plan.add(boot_high_start, image.payload);

    plan.entry = BootPlan::Entry::real_mode;
    plan.segment = u16(setup_address >> 4);
    plan.code_segment = u16(plan.segment + (sector >> 4));
    plan.stack_pointer = heap_end;
    return plan;
}

}
