#include "engine/machine/new_snapshot.h"

#include <ctime>

#include "engine/snapshot/snapshot_directory.h"

namespace engine {

u64 milliseconds_now()
{
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return u64(now.tv_sec) * 1000 + u64(now.tv_nsec) / 1'000'000;
}

SnapshotInfo new_snapshot(const SnapshotRequest& request, const std::string& parent)
{
    SnapshotInfo info;
    info.id = SnapshotDirectory::new_id();
    info.parent = parent;
    info.name = request.name;
    info.note = request.note;
    info.kind = request.kind;
    info.taken_at = milliseconds_now();
    return info;
}

SnapshotInfo new_snapshot_of_disks(const SnapshotRequest& request, const std::string& parent, const MachineDefinition& definition)
{
    SnapshotInfo info = new_snapshot(request, parent);
    info.with_memory = false;
    info.memory_bytes = definition.memory_mib << 20;
    return info;
}

}
