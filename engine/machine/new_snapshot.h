#pragma once
// What every new snapshot says of itself, however it is taken.

#include "engine/engine.h"

namespace engine {

u64 milliseconds_now();    // since 1970, UTC

// With an id of its own, of this moment, and with what was asked for; `parent` is the snapshot before it, "" for the first.
SnapshotInfo new_snapshot(const SnapshotRequest& request, const std::string& parent);
// The same of a machine that is off: it holds its disks alone.
SnapshotInfo
new_snapshot_of_disks(const SnapshotRequest& request, const std::string& parent, const MachineDefinition& definition);

}
