#include "app/command_line/machine_options.h"

#include <QFileInfo>

#include "app/library/cdrom.h"
#include "app/library/definition_json.h"
#include "app/library/machine_library.h"
#include "app/library/problem.h"

namespace app {

namespace {
constexpr quint64 mebibyte = 1024 * 1024;

std::string absolute(const QString& path)
{
    return path.isEmpty() ? std::string() : QFileInfo(path).absoluteFilePath().toStdString();
}
}

std::vector<Option> sizeOptions()
{
    return {
        {"--memory", "MIB", "memory in MiB, or with a unit as in 2G (1024)"},
        {"--cpus", "N", "processors, 1 to 32 (1)"},
        {"--accel", "WHICH", "auto, kvm, translator, interpreter or lockstep (auto)"},
        {"--avx512", "", "gives the processors AVX-512 where the host has it; without KVM it is slower than AVX2"},
    };
}

std::vector<Option> bootOptions()
{
    return {
        {"--cdrom", "FILE", "an ISO image in the optical drive"},
        {"--disk", "FILE[,cache=POLICY]",
         "a disk image; its name says the format (.qcow2 …, else raw); may be given more than once. POLICY: writeback, "
         "none (past the host's cache), or unsafe (never flushed: for what may be lost)"},
        {"--floppy", "FILE", "a floppy image"},
        {"--kernel", "FILE", "a Linux kernel or a Multiboot program, started without a boot loader"},
        {"--initrd", "FILE", "its first file system"},
        {"--append", "TEXT", "its command line"},
        {"--perf-map", "", "names the translator's code for perf, in /tmp/perf-PID.map"},
        {"--firmware", "WHICH", "bios (SeaBIOS), uefi (OVMF), a BIOS image, or a folder that holds one and a VGA BIOS (bios)"},
        {"--firmware-variables", "FILE", "where UEFI firmware keeps its settings; made where it is missing"},
    };
}

std::string firmwareNamed(const QString& word)
{
    if (word == QLatin1String("bios"))
        return {};
    return word == QLatin1String(engine::MachineDefinition::uefi) ? word.toStdString() : absolute(word);
}

engine::Result<DiskWords> diskWords(const QString& text)
{
    const qsizetype at = text.lastIndexOf(QLatin1String(",cache="));
    if (at < 0)
        return DiskWords{text, {}};
    const QString policy = text.mid(text.indexOf('=', at) + 1);
    if (policy != "writeback" && policy != "none" && policy != "unsafe")
        return problem(
            QString("--disk has no cache policy “%1”").arg(policy), "There are writeback, none and unsafe",
            "Give one of these, or leave ,cache= away for writeback");
    return DiskWords{text.left(at), policy.toStdString()};
}

engine::Result<void> applySizes(const Arguments& arguments, engine::MachineDefinition& definition)
{
    if (const auto memory = arguments.value("--memory")) {
        const auto bytes = bytesFrom(*memory, mebibyte);
        if (!bytes || *bytes % mebibyte)
            return badValue("--memory", *memory, "whole MiB, for example 1024 or 2G");
        definition.memory_mib = *bytes / mebibyte;
        if (auto sound = MachineLibrary::checkMemory(definition.memory_mib); !sound)
            return sound;
    }
    if (const auto cpus = arguments.value("--cpus")) {
        bool sound = false;
        definition.cpus = cpus->toUInt(&sound);
        if (!sound)
            return badValue("--cpus", *cpus, "a number from 1 to 32");
        if (auto possible = MachineLibrary::checkProcessors(definition.cpus); !possible)
            return possible;
    }
    if (const auto name = arguments.value("--accel")) {
        const auto accelerator = acceleratorFromName(*name);
        if (!accelerator)
            return badValue("--accel", *name, "auto, kvm, translator, interpreter or lockstep");
        definition.accelerator = *accelerator;
    }
    definition.avx512 = arguments.has("--avx512");
    return {};
}

engine::Result<void> applyCdrom(const Arguments& arguments, engine::MachineDefinition& definition)
{
    const QString path = arguments.value("--cdrom").value_or("");
    definition.cdrom = absolute(path);
    return path.isEmpty() ? engine::Result<void>() : checkCdrom(path);
}

engine::Result<void> applyMedia(const Arguments& arguments, engine::MachineDefinition& definition)
{
    for (const QString& text : arguments.values("--disk")) {
        auto disk = diskWords(text);
        if (!disk)
            return disk.error();
        definition.disks.push_back(absolute(disk->what));
        definition.disk_caches.push_back(disk->cache);
    }
    if (auto loaded = applyCdrom(arguments, definition); !loaded)
        return loaded;
    definition.floppy = absolute(arguments.value("--floppy").value_or(""));
    definition.kernel = absolute(arguments.value("--kernel").value_or(""));
    definition.initrd = absolute(arguments.value("--initrd").value_or(""));
    definition.append = arguments.value("--append").value_or("").toStdString();
    definition.perf_map = arguments.has("--perf-map");
    definition.firmware = firmwareNamed(arguments.value("--firmware").value_or(""));
    definition.firmware_variables = absolute(arguments.value("--firmware-variables").value_or(""));
    if (definition.kernel.empty() && (arguments.has("--initrd") || arguments.has("--append")))
        return problem(
            "--initrd and --append go with a kernel", "no --kernel was given", "Add --kernel FILE, or leave them away");
    return {};
}

}
