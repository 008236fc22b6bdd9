#include "engine/machine/firmware/rom.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file_descriptor.h"
#include "engine/base/text.h"
#include "engine/engine.h"

namespace engine {

namespace {
constexpr u64 kib = 1024, bios_smallest = 128 * kib, bios_largest = 4096 * kib, bios_unit = 64 * kib, flash_unit = 4 * kib,
              vga_bios_largest = 256 * kib;
constexpr std::size_t option_rom_unit = 512;

const std::string debian_directory = "/usr/share/seabios", debian_uefi_directory = "/usr/share/OVMF";
// The larger one first, which newer Debians have alone.
constexpr std::array uefi_files{"OVMF_CODE_4M.fd", "OVMF_CODE.fd"};
constexpr std::string_view code_part = "CODE", variables_part = "VARS";

Error unreadable(const std::string& path, const std::string& what, int error_number)
{
    return {text("Cannot read ", what, " ", path), system_error_text(error_number), "Check the path and who may read the file"};
}

bool is_file(const std::string& path)
{
    struct stat status { };
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

Result<std::string> present_file(const std::string& directory, const std::string& file)
{
    const std::string path = text(directory, "/", file);
    if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT)
        return Error{
            text("The firmware file ", file, " is missing"), text("It was looked for in ", directory),
            "Install the package seabios (sudo apt install seabios)"};
    return path;
}

Error damaged(const std::string& path, const std::string& why)
{
    return {text("The firmware file ", path, " is damaged"), why, "Install its package again, or name another file"};
}

// "" where the image is not named so that it could have one.
std::string variables_beside(const std::string& bios)
{
    const auto name = bios.rfind('/') + 1, part = bios.rfind(code_part);
    if (part == std::string::npos || part < name)
        return {};
    return std::string(bios).replace(part, code_part.size(), variables_part);
}

Result<std::string> uefi_image()
{
    for (const char* const file : uefi_files)
        if (const std::string path = text(debian_uefi_directory, "/", file); is_file(path) && is_file(variables_beside(path)))
            return path;
    return Error{
        "There is no UEFI firmware on this computer", text("It was looked for in ", debian_uefi_directory),
        "Install the package ovmf (sudo apt install ovmf), or choose BIOS"};
}

// A BIOS image by itself, and what belongs to it.
Result<FirmwareImages> load_image(const std::string& path)
{
    FirmwareImages images;
    auto bios = read_whole_file(path, bios_largest, "the firmware");
    if (!bios)
        return bios.error();
    images.bios = std::move(*bios);
    const std::string beside = variables_beside(path);
    if (is_file(beside)) {
        auto variables = read_whole_file(beside, bios_largest, "the firmware's settings");
        if (!variables)
            return variables.error();
        images.variables = std::move(*variables);
        if (images.variables.empty() || images.variables.size() % flash_unit)
            return damaged(beside, text("Its length of ", images.variables.size(), " bytes is not that of a flash chip"));
    }
    const u64 unit = images.variables.empty() ? bios_unit : flash_unit;
    if (images.bios.size() >= bios_smallest && images.bios.size() % unit == 0)
        return images;
    if (!beside.empty() && images.variables.empty())
        return Error{
            text("The firmware ", path, " can't be used"), text("What its settings begin with, ", beside, ", is not there"),
            "Put both files into one folder, or name another firmware"};
    return damaged(path, text("Its length of ", images.bios.size(), " bytes is not that of a PC BIOS"));
}
}

Result<std::vector<u8>> read_whole_file(const std::string& path, u64 limit, const std::string& what)
{
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status { };
    if (!file.valid() || ::fstat(file.get(), &status) != 0)
        return unreadable(path, what, errno);
    if (!S_ISREG(status.st_mode))
        return Error{text("Cannot use ", path, " as ", what), "It is not a regular file", "Name a file"};
    if (u64(status.st_size) > limit)
        return Error{
            text("Cannot use ", path, " as ", what), text("It is ", status.st_size, " bytes long; at most ", limit, " bytes fit"),
            "Give the machine more memory or a smaller file"};
    std::vector<u8> content(std::size_t(status.st_size));
    std::size_t done = 0;
    while (done < content.size()) {
        const ssize_t count = ::read(file.get(), content.data() + done, content.size() - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return unreadable(path, what, errno);
        if (count == 0)
            break;
        done += std::size_t(count);
    }
    content.resize(done);
    return content;
}

bool has_uefi()
{
    return bool(uefi_image());
}

Result<FirmwareImages> load_firmware(const std::string& from)
{
    const bool directory_given = !from.empty() && from != MachineDefinition::uefi && !is_file(from);
    const std::string& directory = directory_given ? from : debian_directory;
    const auto image = from == MachineDefinition::uefi ? uefi_image()
        : is_file(from)                                ? Result<std::string>(from)
                                                       : present_file(directory, "bios-256k.bin");
    if (!image)
        return image.error();
    auto images = load_image(image.value());
    if (!images)
        return images.error();
    const auto vga_file = present_file(directory, "vgabios-stdvga.bin");
    if (!vga_file)
        return vga_file.error();
    auto vga_bios = read_whole_file(vga_file.value(), vga_bios_largest, "the firmware");
    if (!vga_bios)
        return vga_bios.error();
    const std::vector<u8>& vga = *vga_bios;
    if (vga.size() < option_rom_unit || vga[0] != 0x55 || vga[1] != 0xaa || vga[2] * option_rom_unit > vga.size())
        return damaged(vga_file.value(), "It does not begin like an option ROM");
    images->vga_bios = std::move(*vga_bios);
    return images;
}

}
