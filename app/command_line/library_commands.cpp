// create, list, info, delete.

#include <QJsonArray>
#include <QJsonObject>
#include <QLocale>

#include "app/command_line/commands.h"
#include "app/command_line/machine_options.h"
#include "app/command_line/output.h"
#include "app/command_line/progress.h"
#include "app/library/definition_json.h"
#include "app/library/machine_library.h"
#include "app/library/problem.h"
#include "app/session/control_socket.h"
#include "app/session/hosted_machine.h"

namespace app {

namespace {
constexpr quint64 default_disk = quint64(20) << 30;
const Option json_option{"--json", "", "for programs"};

int create(const Arguments& arguments)
{
    NewMachine machine;
    machine.definition.name = arguments.positional(0).toStdString();
    if (const auto applied = applySizes(arguments, machine.definition); !applied)
        return refuse(applied.error());
    if (const auto loaded = applyCdrom(arguments, machine.definition); !loaded)
        return refuse(loaded.error());
    machine.definition.firmware = firmwareNamed(arguments.value("--firmware").value_or(""));
    if (machine.definition.firmware == engine::MachineDefinition::uefi && !engine::has_uefi())
        return refuse(problem(
            "There is no UEFI firmware on this computer", "the package ovmf, which has it, is not installed",
            "Install it (sudo apt install ovmf), or leave --firmware away"));
    machine.diskBytes = default_disk;
    if (const auto text = arguments.value("--disk")) {
        auto disk = diskWords(*text);
        if (!disk)
            return refuse(disk.error());
        const auto bytes = bytesFrom(disk->what, 1);
        if (!bytes)
            return refuse(badValue("--disk", disk->what, "a size such as 20G, or 0 for no disk"));
        machine.diskBytes = *bytes;
        machine.diskCache = disk->cache;
    }
    MachineLibrary library;
    if (const auto created = library.create(machine); !created)
        return refuse(created.error());
    say(QString("Created “%1”. To start it: paddock start \"%1\"").arg(arguments.positional(0)));
    return succeeded;
}

// "interrupted": its process ended without stopping it.
QString stateOf(const engine::MachineDefinition& definition)
{
    if (isMachineRunning(QString::fromStdString(definition.name)))
        return "running";
    const auto snapshots = engine::SnapshotTree::open(definition.snapshots);
    if (snapshots && !snapshots.value()->saved_state().empty())
        return "saved";
    return snapshots && snapshots.value()->interrupted() ? "interrupted" : "stopped";
}

QJsonObject describe(const MachineLibrary& library, const engine::MachineDefinition& definition)
{
    const QString name = QString::fromStdString(definition.name);
    QJsonArray disks;
    for (const std::string& disk : definition.disks)
        disks += QString::fromStdString(disk);
    QJsonArray caches;
    for (const std::string& cache : definition.disk_caches)
        caches += QString::fromStdString(cache.empty() ? "writeback" : cache);
    return {
        {"name", name},
        {"state", stateOf(definition)},
        {"memory_mib", qint64(definition.memory_mib)},
        {"cpus", int(definition.cpus)},
        {"accelerator", acceleratorName(definition.accelerator)},
        {"avx512", definition.avx512},
        {"firmware", definition.firmware.empty() ? "bios" : QString::fromStdString(definition.firmware)},
        {"disks", disks},
        {"disk_caches", caches},
        {"cdrom", QString::fromStdString(definition.cdrom)},
        {"folder", library.folder(name)},
        {"bytes_on_disk", qint64(library.bytesOnDisk(name))},
    };
}

int list(const Arguments& arguments)
{
    const MachineLibrary library;
    QJsonArray all;
    for (const QString& name : library.names()) {
        const auto definition = library.find(name);
        all += definition ? describe(library, definition.value())
                          : QJsonObject{{"name", name}, {"state", "unreadable"}, {"error", sentences(definition.error())}};
        if (const QString trial = runningTrialOf(name, library); definition && !trial.isEmpty())
            all += QJsonObject{
                {"name", trial},
                {"state", "running"},
                {"trial_of", name},
                {"memory_mib", qint64(definition.value().memory_mib)},
                {"cpus", int(definition.value().cpus)},
            };
    }
    if (arguments.has("--json")) {
        sayJson(all);
        return succeeded;
    }
    if (all.isEmpty())
        say("There are no machines yet. To make one: paddock create NAME --cdrom FILE.iso");
    for (const auto& entry : std::as_const(all)) {
        const QJsonObject machine = entry.toObject();
        QString line = machine["name"].toString().leftJustified(24) + ' ' + machine["state"].toString().leftJustified(11);
        if (machine.contains("error"))
            line += ' ' + machine["error"].toString();
        else
            line += QString(" %1 MiB, %2 CPU").arg(machine["memory_mib"].toInteger()).arg(machine["cpus"].toInt());
        say(line);
    }
    return succeeded;
}

QString inWords(const QJsonValue& value)
{
    if (value.isArray()) {
        QStringList parts;
        for (const auto& part : value.toArray())
            parts += inWords(part);
        return parts.join(", ");
    }
    return value.isDouble() ? QString::number(value.toInteger()) : value.toVariant().toString();
}

int info(const Arguments& arguments)
{
    const MachineLibrary library;
    const QString& name = arguments.positional(0);
    const auto definition = library.find(name);
    if (!definition)
        return refuse(definition.error());
    QJsonObject all = describe(library, definition.value());
    if (isMachineRunning(name)) {
        const auto live = callMachine(name, "info");
        if (!live)
            return refuse(live.error());
        const QJsonObject members = live.value().toObject();
        for (auto member = members.begin(); member != members.end(); ++member)
            all[member.key()] = member.value();
    }
    if (arguments.has("--json")) {
        sayJson(all);
        return succeeded;
    }
    for (auto member = all.constBegin(); member != all.constEnd(); ++member)
        if (const QString words = inWords(member.value()); !words.isEmpty())
            say((member.key() + ':').leftJustified(20) + ' ' + words);
    return succeeded;
}

int import(const Arguments& arguments)
{
    const auto appliance = readAppliance(arguments.positional(0));
    if (!appliance)
        return refuse(appliance.error());
    MachineLibrary library;
    NewMachine machine;
    const QString name = arguments.positionalOr(1, library.suggestName(appliance.value().name));
    machine.definition.name = name.toStdString();
    machine.definition.cpus = std::max(1u, appliance.value().cpus);
    if (appliance.value().memoryMib)
        machine.definition.memory_mib = appliance.value().memoryMib;
    if (auto applied = applySizes(arguments, machine.definition); !applied)
        return refuse(applied.error());
    machine.imports = appliance.value().disks;
    if (appliance.value().uefi && engine::has_uefi())
        machine.definition.firmware = engine::MachineDefinition::uefi;
    const auto made = [&] {
        Progress progress;
        return library.create(machine, progress.report());
    }();
    if (!made)
        return refuse(made.error());
    say(QString("Imported “%1”. To start it: paddock start \"%1\"").arg(name));
    if (!appliance.value().leftOut.isEmpty())
        say("Not taken over: " + appliance.value().leftOut.join("; ") + '.');
    return succeeded;
}

int discard(const Arguments& arguments)
{
    const QString& name = arguments.positional(0);
    if (isMachineRunning(name))
        return refuse(problem(
            QString("“%1” cannot be deleted").arg(name), "it is running",
            QString("Switch it off first: paddock stop --force \"%1\"").arg(name)));
    MachineLibrary library;
    if (const auto ticket = library.discard(name); !ticket)
        return refuse(ticket.error());
    say(QString("“%1” lies in Paddock's trash for a week.").arg(name));
    return succeeded;
}
}

std::vector<RunnableCommand> libraryCommands()
{
    std::vector<Option> createOptions = sizeOptions();
    createOptions.push_back(
        {"--disk", "SIZE[,cache=POLICY]",
         "size of its disk, 0 for none (20G); takes room only as it fills. POLICY: writeback, none (past the host's cache), or "
         "unsafe (never flushed: for what may be lost)"});
    createOptions.push_back({"--cdrom", "FILE", "an ISO image in the optical drive"});
    createOptions.push_back({"--firmware", "WHICH", "bios (SeaBIOS), uefi (OVMF), or a BIOS image (bios)"});
    return {
        {{"create", {"NAME"}, "Makes a machine.", createOptions, {}}, create},
        {{"import", {"FILE"}, "Makes a machine of an OVA or OVF file.", sizeOptions(), {}, {"NAME"}}, import},
        {{"list", {}, "Lists the machines.", {json_option}, {}}, list},
        {{"info", {"NAME"}, "Tells all about a machine.", {json_option}, {}}, info},
        {{"delete", {"NAME"}, "Moves a machine to the trash.", {}, {}}, discard},
    };
}

}
