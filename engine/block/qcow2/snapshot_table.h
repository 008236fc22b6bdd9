#pragma once
// The table of internal snapshots: read only. Not modelled: making and deleting them; machines keep snapshots in overlays.

#include <string>
#include <vector>

#include "engine/block/qcow2/header.h"

namespace engine::qcow2 {

struct Snapshot {
    std::string id, name;
    u64 l1_table_offset = 0;
    u32 l1_size = 0;    // entries
    u64 disk_size = 0;    // bytes
    u64 vm_state_size = 0;    // bytes; 0 where only disks were snapshot
    u32 date_seconds = 0;    // since 1970
};

// Checked: every L1 table could be one. `bytes`, if asked for, is the length of the table in the file.
Result<std::vector<Snapshot>>
read_snapshots(ImageFile& file, const Header& header, const std::string& path, u64* bytes = nullptr);

}
