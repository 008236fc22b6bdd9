// disk create, info, check, convert, compact, resize, snapshot.

#include <QDateTime>
#include <QJsonArray>
#include <QJsonObject>
#include <QLocale>

#include "app/command_line/commands.h"
#include "app/command_line/output.h"
#include "app/command_line/progress.h"
#include "app/library/problem.h"
#include "engine/block/disk_tool.h"

namespace app {

namespace {
const Option json_option{"--json", "", "for programs"};
const Option format_option{"--format", "NAME", "raw, qcow2, vmdk, vdi, vhd or vhdx, where the file's name doesn't say it"};
const Option folder_option{"--trust", "FOLDER", "images below may come from there, too; may be given more than once"};

engine::DiskSource sourceFrom(const Arguments& arguments)
{
    engine::DiskSource source{
        .path = arguments.positional(0).toStdString(),
        .format = arguments.value("--format").value_or("").toStdString(),
        .snapshot = arguments.value("--snapshot").value_or("").toStdString(),
    };
    for (const QString& folder : arguments.values("--trust"))
        source.trusted_folders.push_back(folder.toStdString());
    return source;
}

engine::Result<quint64> sizeFrom(const QString& text, const QString& option)
{
    const auto bytes = bytesFrom(text, 1);
    if (!bytes || *bytes == 0)
        return badValue(option, text, "a size such as 20G or 512M");
    return *bytes;
}

QString inUnits(quint64 bytes)
{
    return QString("%1 (%2 bytes)").arg(QLocale::c().formattedDataSize(qint64(bytes))).arg(bytes);
}

int finish(const engine::Result<void>& done, const QString& words)
{
    if (!done)
        return refuse(done.error());
    say(words);
    return succeeded;
}

int create(const Arguments& arguments)
{
    engine::NewDisk disk{
        .path = arguments.positional(0).toStdString(),
        .format = arguments.value("--format").value_or("").toStdString(),
        .preallocate = arguments.has("--preallocate"),
        .lazy_refcounts = arguments.has("--lazy-refcounts"),
        .below = arguments.value("--over").value_or("").toStdString(),
        .below_format = arguments.value("--over-format").value_or("").toStdString(),
    };
    if (const auto size = arguments.value("--size")) {
        const auto bytes = sizeFrom(*size, "--size");
        if (!bytes)
            return refuse(bytes.error());
        disk.size = bytes.value();
    } else if (disk.below.empty()) {
        return refuse(problem("The disk has no size", {}, "Give it one, for example --size 20G"));
    }
    if (const auto cluster = arguments.value("--cluster-size")) {
        const auto bytes = sizeFrom(*cluster, "--cluster-size");
        if (!bytes || bytes.value() > (2u << 20))
            return refuse(badValue("--cluster-size", *cluster, "a power of two from 512 to 2M"));
        disk.cluster_size = engine::u32(bytes.value());
    }
    return finish(engine::create_disk(disk), QString("Created “%1”.").arg(arguments.positional(0)));
}

QJsonObject toJson(const engine::DiskInfo& info)
{
    QJsonObject json{
        {"path", QString::fromStdString(info.path)},
        {"format", QString::fromStdString(info.format)},
        {"size", qint64(info.size)},
        {"bytes_on_disk", qint64(info.bytes_on_disk)},
    };
    if (info.version == 0)
        return json;
    QJsonArray snapshots;
    for (const auto& snapshot : info.snapshots)
        snapshots += QJsonObject{
            {"id", QString::fromStdString(snapshot.id)},
            {"name", QString::fromStdString(snapshot.name)},
            {"size", qint64(snapshot.disk_size)},
            {"vm_state_size", qint64(snapshot.vm_state_size)},
            {"date", QDateTime::fromSecsSinceEpoch(snapshot.date_seconds).toUTC().toString(Qt::ISODate)},
        };
    const QJsonObject more{
        {"version", int(info.version)},
        {"cluster_size", qint64(info.cluster_size)},
        {"compression", QString::fromStdString(info.compression)},
        {"below", QString::fromStdString(info.below)},
        {"below_format", QString::fromStdString(info.below_format)},
        {"lazy_refcounts", info.lazy_refcounts},
        {"dirty", info.dirty},
        {"corrupt", info.corrupt},
        {"snapshots", snapshots},
    };
    for (auto member = more.begin(); member != more.end(); ++member)
        json[member.key()] = member.value();
    return json;
}

int info(const Arguments& arguments)
{
    const auto found = engine::disk_info(sourceFrom(arguments));
    if (!found)
        return refuse(found.error());
    if (arguments.has("--json")) {
        sayJson(toJson(found.value()));
        return succeeded;
    }
    const engine::DiskInfo& disk = found.value();
    const auto line = [](const QString& name, const QString& words) { say((name + ':').leftJustified(16) + words); };
    line("format", QString::fromStdString(disk.format) + (disk.version ? QString(", version %1").arg(disk.version) : QString()));
    line("size", inUnits(disk.size));
    line("on disk", inUnits(disk.bytes_on_disk));
    if (disk.cluster_size)
        line("clusters", QString("%1 bytes").arg(disk.cluster_size));
    if (!disk.below.empty())
        line("lies over", QString("%1 (%2)").arg(QString::fromStdString(disk.below), QString::fromStdString(disk.below_format)));
    if (disk.dirty)
        line("note", "it was not closed; it is repaired when it is next used");
    if (disk.corrupt)
        line("note", "it is marked as damaged");
    for (const auto& snapshot : disk.snapshots)
        line(
            "snapshot",
            QString("%1  %2  %3")
                .arg(
                    QString::fromStdString(snapshot.id), QString::fromStdString(snapshot.name),
                    QDateTime::fromSecsSinceEpoch(snapshot.date_seconds).toString(Qt::ISODate)));
    return succeeded;
}

int check(const Arguments& arguments)
{
    const auto checked = [&] {
        Progress progress;
        return engine::check_disk(sourceFrom(arguments), arguments.has("--repair"), progress.report());
    }();
    if (!checked)
        return refuse(checked.error());
    const engine::DiskCheck& report = checked.value();
    if (arguments.has("--json")) {
        QJsonArray findings;
        for (const std::string& finding : report.findings)
            findings += QString::fromStdString(finding);
        sayJson(QJsonObject{
            {"clean", report.clean()},
            {"corruptions", qint64(report.corruptions)},
            {"leaks", qint64(report.leaks)},
            {"repaired_corruptions", qint64(report.repaired_corruptions)},
            {"repaired_leaks", qint64(report.repaired_leaks)},
            {"clusters", qint64(report.clusters)},
            {"allocated_clusters", qint64(report.allocated)},
            {"compressed_clusters", qint64(report.compressed)},
            {"end", qint64(report.end)},
            {"findings", findings},
        });
        return report.clean() ? succeeded : refused;
    }
    for (const std::string& finding : report.findings)
        say(QString::fromStdString(finding));
    say(QString("%1 of %2 clusters hold data, %3 of them compressed.")
            .arg(report.allocated)
            .arg(report.clusters)
            .arg(report.compressed));
    if (report.clean() && report.findings.empty())
        say("The image is sound.");
    else if (report.clean())
        say(QString("Repaired: %1 contradictions and %2 lost clusters.")
                .arg(report.repaired_corruptions)
                .arg(report.repaired_leaks));
    if (report.clean())
        return succeeded;
    return refuse(problem(
        report.corruptions > report.repaired_corruptions
            ? QString("The image has %1 contradictions and %2 lost clusters").arg(report.corruptions).arg(report.leaks)
            : QString("The image has %1 lost clusters, which cost room and nothing else").arg(report.leaks),
        {}, arguments.has("--repair") ? "Use a backup of it" : "Make a backup, then repair it with --repair"));
}

int convert(const Arguments& arguments)
{
    engine::Conversion conversion{
        .from = sourceFrom(arguments),
        .to = arguments.positional(1).toStdString(),
        .to_format = arguments.value("--to-format").value_or("").toStdString(),
        .compress = arguments.has("--compress"),
    };
    // A person names the file now, so what it holds counts.
    if (conversion.from.format.empty())
        if (auto probed = engine::probe_disk_format(conversion.from.path))
            conversion.from.format = *probed;
    Progress progress;
    return finish(engine::convert_disk(conversion, progress.report()), QString("Made “%1”.").arg(arguments.positional(1)));
}

int compact(const Arguments& arguments)
{
    const auto won = [&] {
        Progress progress;
        return engine::compact_disk(sourceFrom(arguments), progress.report());
    }();
    if (!won)
        return refuse(won.error());
    say(won.value() ? QString("Won %1.").arg(inUnits(won.value())) : QString("It is as compact as it can be."));
    return succeeded;
}

int resize(const Arguments& arguments)
{
    const auto size = sizeFrom(arguments.positional(1), "SIZE");
    if (!size)
        return refuse(size.error());
    const auto shrinking = arguments.has("--shrink") ? engine::Shrinking::allowed : engine::Shrinking::refused;
    return finish(
        engine::resize_disk(sourceFrom(arguments), size.value(), shrinking),
        QString("“%1” has %2 now.").arg(arguments.positional(0), inUnits(size.value())));
}

int snapshot(const Arguments& arguments)
{
    const QString& file = arguments.positional(0);
    const QString& action = arguments.positional(1);
    const QString name = arguments.positionalOr(2, {});
    const auto disk = sourceFrom(arguments);
    if (action != "take" && action != "restore" && action != "delete")
        return refuse(problem(
            QString("A snapshot in a disk image can't be asked to “%1”").arg(action), {},
            "Write take, restore or delete; “paddock disk info” lists those there are"));
    if (action == "take")
        return finish(
            engine::take_disk_snapshot(disk, name.toStdString()), QString("Made the snapshot “%1” in “%2”.").arg(name, file));
    if (action == "restore")
        return finish(
            engine::restore_disk_snapshot(disk, name.toStdString()), QString("“%1” is as it was in “%2”.").arg(file, name));
    return finish(
        engine::delete_disk_snapshot(disk, name.toStdString()), QString("Deleted the snapshot “%1” in “%2”.").arg(name, file));
}
}

std::vector<RunnableCommand> diskCommands()
{
    const std::vector<Option> create_options{
        {"--size", "SIZE", "for example 20G; not needed over another image"},
        {"--format", "NAME", "qcow2 or raw, where the file's name doesn't say it"},
        {"--over", "FILE", "an image that shows through where nothing is written"},
        {"--over-format", "NAME", "its format, where it is not to be looked up"},
        {"--cluster-size", "SIZE", "of qcow2 (64K)"},
        {"--preallocate", "", "gives every cluster its place at once"},
        {"--lazy-refcounts", "", "marks the image for programs that count lazily"},
    };
    const std::vector<Option> convert_options{
        format_option,
        {"--to-format", "NAME", "qcow2 or raw, where the new file's name doesn't say it"},
        {"--compress", "", "qcow2: smaller, and slower to read"},
        {"--snapshot", "NAME", "a snapshot inside a qcow2 image instead of its present"},
        folder_option,
    };
    const QString stop = "Ctrl-C stops it and leaves everything as it was.";
    return {
        {{"disk create", {"FILE"}, "Makes a disk image.", create_options, {}}, create},
        {{"disk info", {"FILE"}, "Tells about a disk image.", {json_option, format_option, folder_option}, {}}, info},
        {{"disk check",
          {"FILE"},
          "Looks for contradictions.",
          {json_option, {"--repair", "", "puts right what can be"}, format_option},
          stop},
         check},
        {{"disk convert", {"FROM", "TO"}, "Copies an image into another format.", convert_options, stop}, convert},
        {{"disk compact", {"FILE"}, "Gives back room that is not needed.", {format_option, folder_option}, stop}, compact},
        {{"disk resize",
          {"FILE", "SIZE"},
          "Makes a disk larger or smaller.",
          {{"--shrink", "", "lets it lose its end"}, format_option, folder_option},
          {}},
         resize},
        {{"disk snapshot",
          {"FILE", "ACTION", "SNAPSHOT"},
          "Takes, goes back to or deletes a snapshot inside a qcow2 image.",
          {format_option, folder_option},
          "ACTION is one of\n"
          "  take SNAPSHOT       keeps the disk as it is now under that name\n"
          "  restore SNAPSHOT    makes the disk what it was then; what it is now is lost, and images over this one with it\n"
          "  delete SNAPSHOT     deletes it, and no other\n"
          "SNAPSHOT is a name, or a number as “paddock disk info” lists them. Snapshots of a machine with its memory are those "
          "of\n"
          "“paddock snapshot”."},
         snapshot},
    };
}

}
