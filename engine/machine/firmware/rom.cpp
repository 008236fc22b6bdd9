#include "engine/machine/firmware/rom.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file_descriptor.h"
#include "engine/base/text.h"

namespace engine {

namespace {
constexpr u64 kib = 1024, bios_smallest = 128 * kib, bios_largest = 4096 * kib, bios_unit = 64 * kib,
              vga_bios_largest = 256 * kib;
constexpr std::size_t option_rom_unit = 512;

const std::string debian_directory = "/usr/share/seabios";

Error unreadable(const std::string& path, const std::string& what, int error_number)
{
    return {text("Cannot read ", what, " ", path), system_error_text(error_number), "Check the path and who may read the file"};
}

bool is_file(const std::string& path)
{
    struct stat status { };
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

Result<std::vector<u8>> read_image(const std::string& directory, const std::string& file, u64 limit)
{
    const std::string path = text(directory, "/", file);
    if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT)
        return Error{
            text("The firmware file ", file, " is missing"), text("It was looked for in ", directory),
            "Install the package seabios (sudo apt install seabios)"};
    return read_whole_file(path, limit, "the firmware");
}

Error damaged(const std::string& path, const std::string& why)
{
    return {text("The firmware file ", path, " is damaged"), why, "Install the package seabios again, or name another file"};
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

Result<FirmwareImages> load_firmware(const std::string& from)
{
    const std::string bios_file = "bios-256k.bin", vga_file = "vgabios-stdvga.bin";
    const bool alone = is_file(from);
    const std::string& directory = from.empty() || alone ? debian_directory : from;
    auto bios = alone ? read_whole_file(from, bios_largest, "the firmware") : read_image(directory, bios_file, bios_largest);
    if (!bios)
        return bios.error();
    if (bios->size() < bios_smallest || bios->size() % bios_unit)
        return damaged(
            alone ? from : text(directory, "/", bios_file),
            text("Its length of ", bios->size(), " bytes is not that of a PC BIOS"));
    auto vga_bios = read_image(directory, vga_file, vga_bios_largest);
    if (!vga_bios)
        return vga_bios.error();
    const std::vector<u8>& vga = *vga_bios;
    if (vga.size() < option_rom_unit || vga[0] != 0x55 || vga[1] != 0xaa || vga[2] * option_rom_unit > vga.size())
        return damaged(text(directory, "/", vga_file), "It does not begin like an option ROM");
    return FirmwareImages{std::move(*bios), std::move(*vga_bios)};
}

}
