#include "app/library/machine_library.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QCollator>
#include <QDir>
#include <QDirIterator>
#include <QFile>
#include <QFileInfo>
#include <QLocale>
#include <QSaveFile>
#include <QStandardPaths>
#include <QTemporaryDir>

#include "app/library/appliance_disk.h"
#include "app/library/definition_json.h"
#include "engine/block/disk_tool.h"

namespace app {

namespace {

constexpr qint64 largest_definition = 1024 * 1024;    // bytes of machine.json
const QString definition_file = QStringLiteral("/machine.json");
const QString disk_file = QStringLiteral("/disk.qcow2");
const QString variables_file = QStringLiteral("/variables.fd");

QString reason(int error)
{
    return QString::fromStdString(engine::system_error_text(error));
}

// Unlike rename(2) never replaces what is there already.
bool moveFolder(const QString& from, const QString& to)
{
    const QByteArray source = QFile::encodeName(from), target = QFile::encodeName(to);
    return ::renameat2(AT_FDCWD, source.constData(), AT_FDCWD, target.constData(), RENAME_NOREPLACE) == 0;
}

std::string absolutePath(const std::string& path)
{
    return path.empty() ? path : QFileInfo(QString::fromStdString(path)).absoluteFilePath().toStdString();
}

// What a disk holds is looked at once, when a person attaches it; a guest can change what it looks like.
engine::Result<void> recordFormats(engine::MachineDefinition& definition)
{
    definition.disk_formats.resize(definition.disks.size());
    for (std::size_t n = 0; n < definition.disks.size(); ++n) {
        if (!definition.disk_formats[n].empty())
            continue;
        auto format = engine::probe_disk_format(definition.disks[n]);
        if (!format)
            return format.error();
        definition.disk_formats[n] = *format;
    }
    return {};
}

void makePathsAbsolute(engine::MachineDefinition& definition)
{
    for (std::string* path : {&definition.cdrom, &definition.floppy, &definition.kernel, &definition.initrd})
        *path = absolutePath(*path);
    if (definition.firmware != engine::MachineDefinition::uefi)
        definition.firmware = absolutePath(definition.firmware);
    for (std::string& disk : definition.disks)
        disk = absolutePath(disk);
}

}

MachineLibrary::MachineLibrary(const QString& root) : m_root(root) { }

QString MachineLibrary::defaultRoot()
{
    return QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation) + QStringLiteral("/paddock");
}

engine::Result<void> MachineLibrary::checkName(const QString& name)
{
    const QString what = tr("A machine cannot be called “%1”").arg(name.left(longestName));
    const QString choose = tr("Choose another name");
    if (name.trimmed().isEmpty())
        return problem(tr("The machine has no name"), {}, tr("Give it one"));
    if (name.size() > longestName)
        return problem(what, tr("a name has at most %1 characters").arg(longestName), tr("Shorten it"));
    if (name.contains(u'/'))
        return problem(what, tr("a name cannot hold a slash, because the machine's folder bears it"), choose);
    if (name.startsWith(u'.') || name.startsWith(u'-'))
        return problem(what, tr("a name cannot begin with a dot or a dash"), choose);
    if (name != name.trimmed())
        return problem(what, tr("a name cannot begin or end with a space"), choose);
    if (QFile::encodeName(name).size() > 255)
        return problem(what, tr("it is too long for a file system"), tr("Shorten it"));
    for (const char32_t character : name.toUcs4())
        if (!QChar::isPrint(character) || character == 0xfffd)
            return problem(what, tr("it holds characters that cannot be shown"), choose);
    return {};
}

engine::Result<void> MachineLibrary::checkMemory(quint64 mebibytes)
{
    const QLocale locale;
    const quint64 limit = engine::memory_limit() >> 20;
    if (mebibytes == 0)
        return problem(tr("The machine has no memory"), tr("0 MiB was asked for"), tr("Give it at least 1 MiB"));
    if (mebibytes > limit)
        return problem(
            tr("The machine cannot have %1 MiB of memory").arg(locale.toString(mebibytes)),
            tr("this computer can give a machine at most %1 MiB").arg(locale.toString(limit)), tr("Choose less"));
    return {};
}

engine::Result<void> MachineLibrary::checkProcessors(unsigned count)
{
    if (count < 1 || count > 32)
        return problem(
            tr("The machine cannot have %1 processors").arg(count), tr("it can have 1 to 32"), tr("Choose a number in between"));
    return {};
}

engine::Result<void> MachineLibrary::checkDisk(quint64 bytes)
{
    const QLocale locale;
    const QString what = tr("The disk cannot have %1").arg(locale.formattedDataSize(qint64(std::min<quint64>(bytes, INT64_MAX))));
    if (bytes != 0 && bytes < smallestDisk)
        return problem(
            what, tr("the smallest disk has %1").arg(locale.formattedDataSize(smallestDisk)),
            tr("Choose more, or 0 for no disk"));
    if (bytes > largestDisk)
        return problem(what, tr("the largest disk has %1").arg(locale.formattedDataSize(largestDisk)), tr("Choose less"));
    return {};
}

engine::Result<void> MachineLibrary::checkNameIsFree(const QString& name) const
{
    if (QFileInfo::exists(folder(name)))
        return problem(tr("There is a machine “%1” already").arg(name), {}, tr("Choose another name"));
    return {};
}

QString MachineLibrary::folder(const QString& name) const
{
    return machinesFolder() + u'/' + name;
}

QString MachineLibrary::screenPicture(const QString& name) const
{
    return folder(name) + QStringLiteral("/screen.png");
}

namespace {

engine::Result<void> writeDefinition(const engine::MachineDefinition& definition, const QString& inFolder)
{
    const QByteArray json = definitionToJson(definition, inFolder);
    QSaveFile file(inFolder + definition_file);
    // commit() alone does not notice that what it had buffered found no room.
    if (!file.open(QIODevice::WriteOnly) || file.write(json) != json.size() || !file.flush() || !file.commit())
        return problem(
            MachineLibrary::tr("The machine's definition cannot be written"), file.errorString(),
            MachineLibrary::tr("Make room on the file system of %1, or allow writing there").arg(QFileInfo(inFolder).path()));
    return {};
}

}

namespace {

// Out of its archive, where it lies in one, and into an image of the machine's own.
engine::Result<void>
importDisk(const DiskToImport& disk, const QString& draft, const std::string& to, const std::function<bool(double)>& progress)
{
    constexpr double copying = 0.4;    // of the time
    const auto part = [&](double begin, double length) -> engine::DiskProgress {
        return [=](double done) { return !progress || progress(begin + length * done); };
    };
    // Alone in a folder, where no name that it holds leads anywhere.
    const QTemporaryDir beside(draft + QStringLiteral("/.import-XXXXXX"));
    const double first = liesOpen(disk) ? 0 : copying;
    const auto taken = takeOut(disk, beside.path(), part(0, first));
    if (!taken)
        return taken.error();
    const std::string from = taken.value().toStdString();
    const auto format = engine::probe_disk_format(from);
    if (!format)
        return format.error();
    return engine::convert_disk(
        {.from = {.path = from, .format = format.value()}, .to = to, .to_format = "qcow2"}, part(first, 1 - first));
}

// A qcow2 disk before the one of this number, or behind all.
void insertDisk(engine::MachineDefinition& definition, std::size_t number, const std::string& path, const std::string& cache)
{
    definition.disk_formats.resize(definition.disks.size());
    definition.disk_caches.resize(definition.disks.size());
    const auto at = std::ptrdiff_t(number);
    definition.disks.insert(definition.disks.begin() + at, path);
    definition.disk_formats.insert(definition.disk_formats.begin() + at, "qcow2");
    definition.disk_caches.insert(definition.disk_caches.begin() + at, cache);
}

engine::Result<void> importDisks(
    const std::vector<DiskToImport>& disks, const QString& draft, engine::MachineDefinition& definition,
    const std::function<bool(double)>& progress)
{
    const double share = 1.0 / double(std::max<std::size_t>(1, disks.size()));
    for (std::size_t n = 0; n < disks.size(); ++n) {
        const QString name = n == 0 ? disk_file : QStringLiteral("/disk-%1.qcow2").arg(n);
        const std::string to = (draft + name).toStdString();
        const auto part = [&](double done) { return !progress || progress((double(n) + done) * share); };
        if (auto imported = importDisk(disks[n], draft, to, part); !imported)
            return imported;
        insertDisk(definition, n, to, {});
    }
    return {};
}

}

engine::Result<void> MachineLibrary::create(const NewMachine& machine, const std::function<bool(double)>& progress)
{
    engine::MachineDefinition definition = machine.definition;
    const QString name = QString::fromStdString(definition.name);
    for (const auto& check :
         {checkName(name), checkMemory(definition.memory_mib), checkProcessors(definition.cpus), checkDisk(machine.diskBytes),
          checkNameIsFree(name)})
        if (!check)
            return check;
    makePathsAbsolute(definition);
    if (auto recorded = recordFormats(definition); !recorded)
        return recorded;

    const auto failed = [&](const QString& why) {
        return problem(
            tr("“%1” cannot be created").arg(name), why,
            tr("Make room on the file system of %1, or allow writing there").arg(m_root));
    };
    if (!QDir().mkpath(machinesFolder()))
        return failed(tr("the folder %1 cannot be made").arg(machinesFolder()));
    // Built beside its place and moved there whole, so that nobody ever sees half a machine.
    const QTemporaryDir draft(machinesFolder() + QStringLiteral("/.new-XXXXXX"));
    if (!draft.isValid())
        return failed(draft.errorString());
    if (auto imported = importDisks(machine.imports, draft.path(), definition, progress); !imported)
        return imported;
    if (machine.diskBytes != 0) {
        const QString file = machine.imports.empty() ? disk_file : QStringLiteral("/disk-new.qcow2");
        const std::string disk = (draft.path() + file).toStdString();
        if (auto made = engine::create_disk({.path = disk, .format = "qcow2", .size = machine.diskBytes}); !made)
            return made;
        insertDisk(definition, machine.imports.size(), disk, machine.diskCache);
    }
    if (auto written = writeDefinition(definition, draft.path()); !written)
        return written;
    if (!moveFolder(draft.path(), folder(name)))
        return errno == EEXIST ? checkNameIsFree(name) : failed(reason(errno));
    return {};
}

QStringList MachineLibrary::names() const
{
    QStringList found;
    for (const QString& name : QDir(machinesFolder()).entryList(QDir::Dirs | QDir::NoDotAndDotDot))
        if (contains(name))
            found.append(name);
    QCollator collator;
    collator.setNumericMode(true);
    collator.setCaseSensitivity(Qt::CaseInsensitive);
    std::ranges::sort(found, [&](const QString& a, const QString& b) {
        const int order = collator.compare(a, b);
        return order != 0 ? order < 0 : a < b;
    });
    return found;
}

bool MachineLibrary::contains(const QString& name) const
{
    return checkName(name) && QFileInfo::exists(folder(name) + definition_file);
}

engine::Result<engine::MachineDefinition> MachineLibrary::find(const QString& name) const
{
    if (!contains(name))
        return problem(
            tr("There is no machine “%1”").arg(name.left(longestName)), {}, tr("`paddock list` names those there are"));
    QFile file(folder(name) + definition_file);
    if (!file.open(QIODevice::ReadOnly) || file.size() > largest_definition)
        return problem(
            tr("The definition of “%1” cannot be read").arg(name), file.isOpen() ? tr("it is far too large") : file.errorString(),
            tr("Repair or remove %1").arg(file.fileName()));
    auto definition = definitionFromJson(file.readAll(), folder(name));
    if (definition) {
        definition->snapshots = snapshots(name).toStdString();
        definition->firmware_variables = (folder(name) + variables_file).toStdString();
    }
    return definition;
}

engine::Result<void> MachineLibrary::save(const engine::MachineDefinition& given)
{
    engine::MachineDefinition definition = given;
    makePathsAbsolute(definition);
    const QString name = QString::fromStdString(definition.name);
    if (!contains(name))
        return problem(tr("There is no machine “%1”").arg(name.left(longestName)), {}, tr("Create it first"));
    return writeDefinition(definition, folder(name));
}

engine::Result<void> MachineLibrary::rename(const QString& from, const QString& to)
{
    if (!contains(from))
        return problem(
            tr("There is no machine “%1”").arg(from.left(longestName)), {}, tr("`paddock list` names those there are"));
    if (auto check = checkName(to); !check)
        return check;
    if (auto needed = checkNobodyNeeds(from, tr("“%1” cannot be renamed").arg(from)); !needed)
        return needed;
    if (moveFolder(folder(from), folder(to)))
        return {};
    const int error = errno;
    if (error == EEXIST)
        return checkNameIsFree(to);
    return problem(tr("“%1” cannot be renamed").arg(from), reason(error), tr("Allow writing in %1").arg(machinesFolder()));
}

QStringList MachineLibrary::linkedClonesOf(const QString& name) const
{
    if (!engine::has_links(snapshots(name).toStdString()))
        return {};
    QStringList found;
    const QString inside = QDir::cleanPath(folder(name)) + u'/';
    for (const QString& shelf : {machinesFolder(), trashFolder()})
        for (const QString& entry : QDir(shelf).entryList(QDir::Dirs | QDir::NoDotAndDotDot)) {
            // In the trash a machine keeps the paths that it had among the others.
            const QString lies = shelf + u'/' + entry, lay = machinesFolder() + u'/' + entry;
            for (const QString& disk : QDir(lies).entryList({QStringLiteral("disk*.qcow2")}, QDir::Files)) {
                const auto info = engine::disk_info({.path = (lies + u'/' + disk).toStdString(), .format = "qcow2"});
                const QString below = info ? QString::fromStdString(info.value().below) : QString();
                if (!below.isEmpty() && QDir::cleanPath(QDir(lay).absoluteFilePath(below)).startsWith(inside))
                    found << (shelf == trashFolder() ? entry.section(u' ', 1) : entry);
            }
        }
    if (found.isEmpty())
        engine::forget_links(snapshots(name).toStdString());
    found.removeDuplicates();
    return found;
}

engine::Result<void> MachineLibrary::checkNobodyNeeds(const QString& name, const QString& what) const
{
    const QStringList clones = linkedClonesOf(name);
    if (clones.isEmpty())
        return {};
    return problem(
        what, tr("“%1” is a linked clone of it and needs its disks").arg(clones.first()),
        tr("Delete the clone first; it counts until it has left the trash"));
}

engine::Result<void>
MachineLibrary::clone(const QString& name, const std::string& snapshot, const QString& as, engine::CloneKind kind)
{
    const auto definition = find(name);
    if (!definition)
        return definition.error();
    for (const auto& check : {checkName(as), checkNameIsFree(as)})
        if (!check)
            return check;
    const QTemporaryDir draft(machinesFolder() + QStringLiteral("/.new-XXXXXX"));
    if (!draft.isValid())
        return problem(
            tr("“%1” cannot be created").arg(as), draft.errorString(), tr("Allow writing in %1").arg(machinesFolder()));
    auto cloned = engine::clone_from_snapshot(definition.value(), snapshot, draft.path().toStdString(), kind);
    if (!cloned)
        return cloned.error();
    cloned->name = as.toStdString();
    if (auto written = writeDefinition(cloned.value(), draft.path()); !written)
        return written;
    if (!moveFolder(draft.path(), folder(as)))
        return errno == EEXIST
            ? checkNameIsFree(as)
            : problem(tr("“%1” cannot be created").arg(as), reason(errno), tr("Allow writing in %1").arg(m_root));
    return {};
}

std::optional<engine::SnapshotInfo> MachineLibrary::newestAfterInterruption(const QString& name) const
{
    const auto definition = find(name);
    if (!definition)
        return {};
    const auto tree = engine::SnapshotTree::open(definition.value().snapshots);
    if (!tree || !tree.value()->interrupted() || !tree.value()->saved_state().empty())
        return {};
    const std::string newest = tree.value()->newest();
    const auto found = newest.empty() ? engine::Result<engine::SnapshotInfo>(engine::Error{}) : tree.value()->find(newest);
    return found ? std::optional(found.value()) : std::nullopt;
}

engine::Result<QString> MachineLibrary::discard(const QString& name)
{
    if (!contains(name))
        return problem(
            tr("There is no machine “%1”").arg(name.left(longestName)), {}, tr("`paddock list` names those there are"));
    if (const auto needed = checkNobodyNeeds(name, tr("“%1” cannot be deleted").arg(name)); !needed)
        return needed.error();
    const QString trash = trashFolder();
    const QString stamp = QDateTime::currentDateTimeUtc().toString(QStringLiteral("yyyyMMddTHHmmsszzz"));
    const QString ticket = stamp + u' ' + name;
    if (QDir().mkpath(trash) && moveFolder(folder(name), trash + u'/' + ticket))
        return ticket;
    return problem(tr("“%1” cannot be deleted").arg(name), reason(errno), tr("Allow writing in %1").arg(m_root));
}

engine::Result<QString> MachineLibrary::restore(const QString& ticket)
{
    const QString name = suggestName(ticket.section(u' ', 1));
    const QString from = m_root + QStringLiteral("/trash/") + ticket;
    if (!ticket.contains(u'/') && QDir().mkpath(machinesFolder()) && moveFolder(from, folder(name)))
        return name;
    return problem(
        tr("“%1” cannot be brought back").arg(name), reason(errno), tr("Look into %1").arg(m_root + QStringLiteral("/trash")));
}

void MachineLibrary::emptyTrash(std::chrono::hours olderThan)
{
    const QDateTime limit = QDateTime::currentDateTimeUtc().addSecs(-std::chrono::seconds(olderThan).count());
    const QDir trash(m_root + QStringLiteral("/trash"));
    for (const QString& ticket : trash.entryList(QDir::Dirs | QDir::NoDotAndDotDot)) {
        QDateTime since = QDateTime::fromString(ticket.section(u' ', 0, 0), QStringLiteral("yyyyMMddTHHmmsszzz"));
        since.setTimeSpec(Qt::UTC);
        if (since.isValid() && since <= limit)
            QDir(trash.filePath(ticket)).removeRecursively();
    }
}

quint64 MachineLibrary::bytesOnDisk(const QString& name) const
{
    quint64 bytes = 0;
    for (QDirIterator files(folder(name), QDir::Files | QDir::Hidden, QDirIterator::Subdirectories); files.hasNext();) {
        struct stat status { };
        if (::lstat(QFile::encodeName(files.next()).constData(), &status) == 0)
            bytes += quint64(status.st_blocks) * 512;
    }
    return bytes;
}

QString MachineLibrary::suggestName(const QString& wish) const
{
    QString stem;
    for (const char32_t character : wish.simplified().toUcs4())
        stem += QChar::isPrint(character) && character != U'/' ? QString::fromUcs4(&character, 1) : QStringLiteral(" ");
    stem = stem.simplified().left(longestName - 4).trimmed();
    while (stem.startsWith(u'.') || stem.startsWith(u'-'))
        stem = stem.mid(1).trimmed();
    if (!checkName(stem))
        stem = tr("Machine");
    QString name = stem;
    for (int number = 2; !checkNameIsFree(name); ++number)
        name = QStringLiteral("%1 %2").arg(stem).arg(number);
    return name;
}

}
