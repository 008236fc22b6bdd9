#pragma once
// The person's machines on disk. Each is a folder $XDG_DATA_HOME/paddock/machines/NAME with
//     machine.json   its definition; paths inside the folder are relative, so that it can be renamed and moved
//     disk.qcow2     its hard disk, where it has one; disk.img, raw, in machines made by earlier versions
//     variables.fd   what its UEFI firmware remembers, where it has one
//     screen.png     what its screen last showed
//     snapshots/     its snapshots, once it has any (engine/snapshot/FORMAT.md)
// Deleted machines lie in …/paddock/trash for a week. QtCore only; any one thread at a time.

#include <chrono>
#include <functional>

#include <QCoreApplication>
#include <QDateTime>
#include <QString>
#include <QStringList>

#include "app/library/appliance.h"
#include "app/library/problem.h"
#include "engine/engine.h"

namespace app {

struct NewMachine {
    engine::MachineDefinition definition;    // its `name` names the folder; paths are made absolute
    quint64 diskBytes = 0;    // size of the disk to make, 0 for none
    std::string diskCache{};    // its cache policy, as engine::MachineDefinition::disk_caches has them
    std::vector<DiskToImport> imports{};    // become the machine's first disks, in qcow2
};

class MachineLibrary {
    Q_DECLARE_TR_FUNCTIONS(app::MachineLibrary)

public:
    static constexpr int longestName = 64;    // characters
    static constexpr quint64 smallestDisk = 1024 * 1024;    // bytes
    static constexpr quint64 largestDisk = quint64(8) << 40;

    explicit MachineLibrary(const QString& root = defaultRoot());
    static QString defaultRoot();    // $XDG_DATA_HOME/paddock

    // What speaks against a name, memory size and so on, as an error; success where nothing does.
    static engine::Result<void> checkName(const QString& name);
    static engine::Result<void> checkMemory(quint64 mebibytes);
    static engine::Result<void> checkProcessors(unsigned count);
    static engine::Result<void> checkDisk(quint64 bytes);
    engine::Result<void> checkNameIsFree(const QString& name) const;

    // The progress, 0 to 1, is that of the imports, and ends them by returning false: then there is no machine.
    engine::Result<void> create(const NewMachine& machine, const std::function<bool(double)>& progress = {});
    QStringList names() const;    // sorted as a person sorts
    bool contains(const QString& name) const;
    engine::Result<engine::MachineDefinition> find(const QString& name) const;
    engine::Result<void> save(const engine::MachineDefinition& definition);
    engine::Result<void> rename(const QString& from, const QString& to);

    // A machine of its own, called `as`, that goes on where a snapshot of another one was taken.
    // A linked one shares its disks, and the original can neither be renamed nor deleted while there are such clones.
    engine::Result<void>
    clone(const QString& name, const std::string& snapshot, const QString& as, engine::CloneKind kind = engine::CloneKind::full);
    QStringList linkedClonesOf(const QString& name) const;    // those in the trash too

    // Of a machine whose process ended without stopping it: the newest snapshot, to be offered to whoever starts it.
    std::optional<engine::SnapshotInfo> newestAfterInterruption(const QString& name) const;

    // Moves the machine to the trash and returns the ticket that brings it back.
    engine::Result<QString> discard(const QString& name);
    engine::Result<QString> restore(const QString& ticket);    // the name it came back under
    void emptyTrash(std::chrono::hours olderThan = std::chrono::hours(24 * 7));

    QString folder(const QString& name) const;
    QString screenPicture(const QString& name) const;    // may not exist yet
    QString snapshots(const QString& name) const { return folder(name) + QStringLiteral("/snapshots"); }
    quint64 bytesOnDisk(const QString& name) const;    // allocated, not nominal
    QString machinesFolder() const { return m_root + QStringLiteral("/machines"); }

    // "debian", or "debian 2" where that is taken; always a name that may be used.
    QString suggestName(const QString& wish) const;

private:
    engine::Result<void> checkNobodyNeeds(const QString& name, const QString& what) const;
    QString trashFolder() const { return m_root + QStringLiteral("/trash"); }

    QString m_root;
};

}
