#include "app/library/medium.h"

#include <algorithm>

#include <QFile>
#include <QFileInfo>
#include <QRegularExpression>

#include "app/library/problem.h"
#include "engine/block/disk_tool.h"
#include "engine/block/iso9660.h"

namespace app {

namespace {

constexpr quint64 mebibyte = 1024 * 1024, gibibyte = 1024 * mebibyte;
constexpr quint64 smallest_installer = 40 * mebibyte;    // below are tests and rescue discs
constexpr quint64 largest_floppy = 2880 * 1024;
constexpr quint64 sector = 512;
const QString memtest = QStringLiteral("/usr/lib/memtest86+/memtest86+x64.iso");
const QString netboot = QStringLiteral("/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/");

struct MediumWords {
    Q_DECLARE_TR_FUNCTIONS(app::MediumWords)
};

// "Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 …" is too much for a title.
QString fromDiskInfo(const QString& line)
{
    static const QRegularExpression end(QStringLiteral(R"(\s+(-|"|_|\().*$)"));
    return QString(line).remove(end).trimmed();
}

// The section [general] of a .treeinfo has a line "name = Fedora 39".
QString fromTreeInfo(const QString& text)
{
    static const QRegularExpression name(QStringLiteral(R"(^\s*name\s*=\s*(.+)$)"), QRegularExpression::MultilineOption);
    return name.match(text).captured(1).trimmed();
}

QString titleOf(const engine::IsoInfo& iso, const QString& path)
{
    const QString volume = QString::fromStdString(iso.volume).replace(u'_', u' ').simplified();
    // What mkisofs writes where nobody names the disc.
    const bool nameless = volume.compare(QLatin1String("CDROM"), Qt::CaseInsensitive) == 0
        || volume.compare(QLatin1String("ISOIMAGE"), Qt::CaseInsensitive) == 0;
    for (const QString& candidate :
         {fromDiskInfo(QString::fromStdString(iso.disk_info)), fromTreeInfo(QString::fromStdString(iso.tree_info)),
          nameless ? QString() : volume})
        if (!candidate.isEmpty())
            return candidate.left(MachineLibrary::longestName);
    return QFileInfo(path).completeBaseName();
}

bool needsUefi(const engine::IsoInfo& iso)
{
    return iso.bootable && !iso.boots_on(engine::BootPlatform::pc_bios) && iso.boots_on(engine::BootPlatform::efi);
}

QString warningOf(const engine::IsoInfo& iso)
{
    if (!iso.warning.what.empty())
        return sentences(iso.warning);
    if (iso.truncated())
        return MediumWords::tr("The image is cut short: it should have %1 MiB and has %2 MiB. Download it again.")
            .arg(iso.volume_size / mebibyte)
            .arg(iso.file_size / mebibyte);
    if (!iso.bootable)
        return MediumWords::tr("Nothing on this disc starts a machine: it has no boot record.");
    if (needsUefi(iso) && !engine::has_uefi())
        return MediumWords::tr(
            "This disc starts machines with UEFI firmware only, and there is none here: install the package ovmf.");
    return {};
}

quint64 fittingMemory(quint64 wish)
{
    const quint64 half = (engine::memory_limit() >> 20) / 2;
    return std::max<quint64>(64, std::min(wish, half / 64 * 64));
}

Medium fromIso(const engine::IsoInfo& iso, const QString& path)
{
    Medium medium;
    medium.path = path;
    medium.title = titleOf(iso, path);
    medium.warning = warningOf(iso);
    medium.needsUefi = needsUefi(iso);
    const quint64 size = std::max<quint64>(iso.file_size, iso.volume_size);
    const bool installer = size >= smallest_installer;
    medium.memoryMib = fittingMemory(!installer ? 256 : size >= 2 * gibibyte ? 2048 : 1024);
    medium.diskBytes = installer ? 20 * gibibyte : 0;
    return medium;
}

// A disk in a format of its own, such as qcow2.
std::optional<Medium> fromDiskImage(const QString& path)
{
    const auto format = engine::probe_disk_format(path.toStdString());
    if (!format || format.value() == "raw")
        return std::nullopt;
    Medium medium;
    medium.kind = Medium::Kind::disk;
    medium.path = path;
    medium.title = QFileInfo(path).completeBaseName();
    medium.memoryMib = fittingMemory(1024);
    const auto info = engine::disk_info({.path = path.toStdString(), .format = format.value()});
    if (!info)
        medium.warning = sentences(info.error());
    else if (format.value() != "qcow2")
        medium.warning = MediumWords::tr("A machine cannot write to a disk of the format %1. Convert it: paddock disk convert")
                             .arg(QString::fromStdString(format.value()));
    return medium;
}

engine::Result<Medium> fromAppliance(const QString& path)
{
    auto appliance = readAppliance(path);
    if (!appliance)
        return appliance.error();
    Medium medium;
    medium.kind = Medium::Kind::appliance;
    medium.path = path;
    medium.title = appliance->name;
    medium.memoryMib = appliance->memoryMib ? appliance->memoryMib : fittingMemory(1024);
    medium.appliance = std::move(*appliance);
    return medium;
}

bool hasBootSignature(QFile& file)
{
    return file.seek(0) && file.read(sector).endsWith("\x55\xaa");
}

}

engine::Result<Medium> probeMedium(const QString& given)
{
    const QFileInfo info(given);
    const QString path = info.absoluteFilePath();
    const QString what = MediumWords::tr("%1 cannot be used").arg(info.fileName());
    QFile file(path);
    if (!info.isFile())
        return problem(
            what, info.exists() ? MediumWords::tr("it is not a file") : MediumWords::tr("there is no such file"),
            MediumWords::tr("Choose a CD or disk image"));
    if (!file.open(QIODevice::ReadOnly))
        return problem(what, file.errorString(), MediumWords::tr("Allow reading it, or choose another image"));

    if (isApplianceName(path))
        return fromAppliance(path);
    const auto iso = engine::read_iso(path.toStdString());
    if (iso)
        return fromIso(iso.value(), path);
    const quint64 size = quint64(file.size());
    const QString suffix = info.suffix().toLower();
    if (auto image = fromDiskImage(path))
        return *image;
    const bool diskName = QStringList{"img", "raw", "ima", "flp", "vfd", "dd"}.contains(suffix);
    if (size == 0 || size % sector != 0 || !(diskName || hasBootSignature(file)))
        return problem(
            what, MediumWords::tr("it is neither a CD image nor a disk image"), MediumWords::tr("Choose a CD or disk image"));
    Medium medium;
    medium.kind = size <= largest_floppy ? Medium::Kind::floppy : Medium::Kind::disk;
    medium.path = path;
    medium.title = info.completeBaseName();
    medium.memoryMib = fittingMemory(medium.kind == Medium::Kind::floppy ? 64 : 1024);
    if (!hasBootSignature(file))
        medium.warning = MediumWords::tr("This disk has no boot record, so a machine cannot start from it.");
    return medium;
}

Demo findDemo()
{
    Demo demo{MediumWords::tr("Memory test"), {}, QStringLiteral("memtest86+")};
    NewMachine machine;
    if (QFileInfo::exists(memtest)) {
        machine.definition.name = MediumWords::tr("Memory test").toStdString();
        machine.definition.memory_mib = 64;
        machine.definition.cdrom = memtest.toStdString();
        demo.machine = machine;
    } else if (QFileInfo::exists(netboot + QStringLiteral("linux"))) {
        demo.title = MediumWords::tr("Debian installer");
        machine.definition.name = demo.title.toStdString();
        machine.definition.memory_mib = fittingMemory(1024);
        machine.definition.kernel = (netboot + QStringLiteral("linux")).toStdString();
        machine.definition.initrd = (netboot + QStringLiteral("initrd.gz")).toStdString();
        machine.diskBytes = 20 * gibibyte;
        demo.machine = machine;
    }
    return demo;
}

}
