#pragma once
// The table of internal snapshots. Machines keep theirs in overlays instead; these are for images that qemu-img is used on, too.

#include <string>
#include <vector>

#include "engine/block/qcow2/header.h"

namespace engine::qcow2 {

struct Snapshot {
    std::string id, name;
    u64 l1_table_offset = 0;
    u32 l1_size = 0;    // entries
    u64 disk_size = 0;    // bytes
    bool size_recorded = false;    // else it is taken for the disk's present one
    u64 vm_state_size = 0;    // bytes; 0 where only disks were snapshot
    u32 date_seconds = 0;    // since 1970
    std::vector<u8> record{};    // as it stands in the file, with what this program doesn't know, without padding
};

// Checked: every L1 table could be one. `bytes`, if asked for, is the length of the table in the file.
Result<std::vector<Snapshot>>
read_snapshots(ImageFile& file, const Header& header, const std::string& path, u64* bytes = nullptr);

// Makes the record of a new one, without the state of a machine. Its id and name have at most 255 bytes.
void write_record(Snapshot& snapshot);
// The whole table, of their records.
std::vector<u8> snapshot_table(const std::vector<Snapshot>& snapshots);

}
