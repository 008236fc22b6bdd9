// What becomes of a trial (MachineDefinition::trial) once its machine is gone.

#include <unistd.h>

#include "engine/machine/firmware/variable_store.h"
#include "engine/machine/new_snapshot.h"
#include "engine/snapshot/container.h"
#include "engine/snapshot/snapshot_directory.h"

namespace engine {

Result<SnapshotInfo> keep_trial(const MachineDefinition& definition, const SnapshotRequest& request)
{
    const SnapshotDirectory directory(definition.snapshots, SnapshotDirectory::Whose::trial);
    const auto lock = directory.lock(SnapshotDirectory::Use::shared);
    if (!lock)
        return lock.error();
    const auto present = directory.present();
    if (!present)
        return present.error();
    if (present.value().snapshot.empty())
        return Error{"The trial can't be kept", "There is none any more", ""};
    SnapshotContent content;
    content.disks = present.value().disks;
    save_variables(trial_variables(definition.snapshots), content);
    const SnapshotInfo& info = content.info = new_snapshot_of_disks(request, present.value().snapshot, definition);
    PageStore store(directory.path());
    if (auto written = directory.write(info.id + ".snapshot", pack_snapshot(content, store)); !written)
        return written.error();
    return info;
}

Result<void> end_trial(const MachineDefinition& definition)
{
    const SnapshotDirectory directory(definition.snapshots, SnapshotDirectory::Whose::trial);
    directory.remove_present();
    ::unlink(trial_variables(definition.snapshots).c_str());
    const auto tree = SnapshotTree::open(definition.snapshots);
    if (!tree)
        return tree.error();
    const auto freed = tree.value()->free_unneeded();
    return freed ? Result<void>() : freed.error();
}

}
