#include "engine/block/qcow2/snapshot_table.h"

#include <array>

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine::qcow2 {

namespace {
constexpr u64 fixed_bytes = 40;
constexpr u32 most_extra_data = 1024;

// A record, by byte offset.
constexpr u32 record_l1_table_offset = 0, record_l1_size = 8, record_id_size = 12, record_name_size = 14,
              record_date_seconds = 16, record_vm_state_size = 32, record_extra_size = 36;
constexpr u32 extra_vm_state_size = 0, extra_disk_size = 8, extra_bytes = 16;
}

Result<std::vector<Snapshot>> read_snapshots(ImageFile& file, const Header& header, const std::string& path, u64* bytes)
{
    const auto damaged = [&](const std::string& why) {
        return Error{
            "The snapshots in " + in_quotes(path) + " can't be read", why, "Repair the image with qemu-img check -r all"};
    };
    std::vector<Snapshot> all;
    u64 at = header.snapshots_offset, tables = 0;
    const u64 file_size = file.size();
    for (u32 n = 0; n < header.nb_snapshots; ++n) {
        std::array<u8, fixed_bytes> fixed{};
        if (file.read(at, fixed))
            return damaged("the file can't be read");
        Snapshot snapshot;
        snapshot.l1_table_offset = load_be<u64>(&fixed[record_l1_table_offset]);
        snapshot.l1_size = load_be<u32>(&fixed[record_l1_size]);
        const u16 id_size = load_be<u16>(&fixed[record_id_size]), name_size = load_be<u16>(&fixed[record_name_size]);
        snapshot.date_seconds = load_be<u32>(&fixed[record_date_seconds]);
        snapshot.vm_state_size = load_be<u32>(&fixed[record_vm_state_size]);
        const u32 extra_size = load_be<u32>(&fixed[record_extra_size]);
        snapshot.disk_size = header.size;
        if (extra_size > most_extra_data)
            return damaged(text("snapshot ", n + 1, " has ", extra_size, " bytes of extra data"));
        std::vector<u8> rest(extra_size + id_size + name_size);
        if (file.read(at + fixed_bytes, rest))
            return damaged("the file can't be read");
        if (extra_size >= extra_disk_size)
            snapshot.vm_state_size = load_be<u64>(&rest[extra_vm_state_size]);
        snapshot.size_recorded = extra_size >= extra_bytes;
        if (snapshot.size_recorded)
            snapshot.disk_size = load_be<u64>(&rest[extra_disk_size]);
        const auto id = rest.begin() + extra_size, name = id + id_size;
        snapshot.id.assign(id, name);
        snapshot.name.assign(name, name + name_size);
        snapshot.record.assign(fixed.begin(), fixed.end());
        snapshot.record.insert(snapshot.record.end(), rest.begin(), rest.end());
        const u64 reach = snapshot.l1_size * header.l2_reach();
        if (snapshot.l1_size > largest_l1 / 8 || snapshot.disk_size > reach || snapshot.l1_table_offset >= largest_file
            || snapshot.l1_table_offset % header.cluster_size())
            return damaged(text("the table of snapshot ", n + 1, " can't be"));
        // Each has its own, so that together they are no longer than the file.
        tables += u64(snapshot.l1_size) * 8;
        if (tables > file_size)
            return damaged(text("the table of snapshot ", n + 1, " lies beyond the end of the file"));
        at = round_up(at + fixed_bytes + rest.size(), 8);
        if (at - header.snapshots_offset > largest_snapshot_table)
            return damaged("their table is too large");
        all.push_back(std::move(snapshot));
    }
    if (bytes)
        *bytes = at - header.snapshots_offset;
    return all;
}

void write_record(Snapshot& snapshot)
{
    snapshot.size_recorded = true;
    std::vector<u8>& record = snapshot.record;
    record.assign(fixed_bytes + extra_bytes, 0);
    store_be(&record[record_l1_table_offset], snapshot.l1_table_offset);
    store_be(&record[record_l1_size], snapshot.l1_size);
    store_be(&record[record_id_size], u16(snapshot.id.size()));
    store_be(&record[record_name_size], u16(snapshot.name.size()));
    store_be(&record[record_date_seconds], snapshot.date_seconds);
    store_be(&record[record_extra_size], extra_bytes);
    store_be(&record[fixed_bytes + extra_disk_size], snapshot.disk_size);
    record.insert(record.end(), snapshot.id.begin(), snapshot.id.end());
    record.insert(record.end(), snapshot.name.begin(), snapshot.name.end());
}

std::vector<u8> snapshot_table(const std::vector<Snapshot>& snapshots)
{
    std::vector<u8> bytes;
    for (const Snapshot& snapshot : snapshots) {
        bytes.insert(bytes.end(), snapshot.record.begin(), snapshot.record.end());
        bytes.resize(round_up(bytes.size(), 8));
    }
    return bytes;
}

}
