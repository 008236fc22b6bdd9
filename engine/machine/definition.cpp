#include "engine/machine/definition.h"

#include <algorithm>
#include <fstream>

#include "engine/base/text.h"

namespace engine {

namespace {
constexpr u64 mib = 1 << 20;

std::string amount(u64 of_mib)
{
    if (of_mib >= 1024 * 1024 && of_mib % (1024 * 1024) == 0)
        return text(of_mib / (1024 * 1024), " TiB");
    return of_mib >= 4096 ? text(of_mib / 1024, " GiB") : text(of_mib, " MiB");
}

u64 host_memory()
{
    std::ifstream file("/proc/meminfo");
    std::string name;
    u64 kib = 0;
    while (file >> name) {
        if (name == "MemTotal:" && file >> kib)
            return kib * 1024;
        file.ignore(1024, '\n');
    }
    return 0;
}

Result<void> check_memory(const MachineDefinition& definition)
{
    const u64 wanted = definition.memory_mib, limit = std::min(memory_limit() / mib, most_memory_mib);
    const std::string what = text("The machine can't have ", amount(wanted), " of memory");
    if (wanted == 0)
        return Error{what, "Nothing can run in none", "Give it at least 1 MiB; 1024 MiB suit most guests"};
    if (wanted > most_memory_mib)
        return Error{
            what,
            text(
                "The processor that it has reaches ", amount(most_memory_mib), ", and this computer has ",
                amount(host_memory() / mib)),
            text("Give it less: at most ", limit, " MiB here")};
    if (wanted > limit)
        return Error{
            what, text("This computer has ", amount(host_memory() / mib), ", and needs some of it itself"),
            text("Give it less: at most ", limit, " MiB")};
    return {};
}

Result<void> check_drives(const MachineDefinition& definition)
{
    if (definition.disks.size() > most_disks)
        return Error{
            text("The machine can't have ", definition.disks.size(), " disks"),
            text("There is room for ", most_disks, " beside the optical drive"), "Take some of them away"};
    if (std::ranges::find(definition.disks, "") != definition.disks.end())
        return Error{"A disk has no image", "Its file name is empty", "Name a file, or take the disk away"};
    const auto unknown = definition.boot_order.find_first_not_of("acdn");
    if (unknown != std::string::npos)
        return Error{
            text("The machine can't boot from \"", definition.boot_order[unknown], "\""),
            "The boot order is made of the letters d (optical drive), c (disk) and a (floppy)", "Write it like \"dca\""};
    return {};
}

Result<void> check_direct_boot(const MachineDefinition& definition)
{
    if (definition.kernel.empty() && (!definition.initrd.empty() || !definition.append.empty()))
        return Error{
            text("There is no kernel for the ", definition.initrd.empty() ? "command line" : "initial RAM disk"),
            "It is only of use to a kernel that is booted directly", "Name a kernel as well"};
    if (definition.serial == MachineDefinition::Serial::file && definition.serial_file.empty())
        return Error{"The serial port has no file to write to", "Its file name is empty", "Name a file"};
    return {};
}
}

u64 memory_limit()
{
    // The host's own needs: a sixteenth, and no less than 256 MiB.
    const u64 all = host_memory();
    const u64 own = std::max<u64>(all / 16, 256 * mib);
    return all > 2 * own ? all - own : all / 2;
}

Result<void> check_definition(const MachineDefinition& definition)
{
    if (auto memory = check_memory(definition); !memory)
        return memory;
    if (definition.cpus == 0 || definition.cpus > most_cpus)
        return Error{
            text("The machine can't have ", definition.cpus, " processors"), text("It can have 1 to ", most_cpus),
            "Choose a number in between; one for each of this computer's is plenty"};
    if (auto drives = check_drives(definition); !drives)
        return drives;
    return check_direct_boot(definition);
}

std::string usual_boot_order(const MachineDefinition& definition)
{
    if (!definition.boot_order.empty())
        return definition.boot_order;
    std::string order;
    if (!definition.floppy.empty())
        order += 'a';
    // An empty disk passes the turn on; once an installation has filled it, it comes before the installer's disc.
    if (!definition.disks.empty())
        order += 'c';
    if (!definition.cdrom.empty())
        order += 'd';
    for (const char drive : {'d', 'c', 'a'})
        if (order.find(drive) == std::string::npos)
            order += drive;
    return order;
}

}
