#include "engine/block/qcow2/snapshot_table.h"

#include <array>

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine::qcow2 {

namespace {
constexpr u64 fixed_bytes = 40;
constexpr u32 most_extra_data = 1024;
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
        snapshot.l1_table_offset = load_be<u64>(&fixed[0]);
        snapshot.l1_size = load_be<u32>(&fixed[8]);
        const u16 id_size = load_be<u16>(&fixed[12]), name_size = load_be<u16>(&fixed[14]);
        snapshot.date_seconds = load_be<u32>(&fixed[16]);
        snapshot.vm_state_size = load_be<u32>(&fixed[32]);
        const u32 extra_size = load_be<u32>(&fixed[36]);
        snapshot.disk_size = header.size;
        if (extra_size > most_extra_data)
            return damaged(text("snapshot ", n + 1, " has ", extra_size, " bytes of extra data"));
        std::vector<u8> rest(extra_size + id_size + name_size);
        if (file.read(at + fixed_bytes, rest))
            return damaged("the file can't be read");
        if (extra_size >= 8)
            snapshot.vm_state_size = load_be<u64>(&rest[0]);
        if (extra_size >= 16)
            snapshot.disk_size = load_be<u64>(&rest[8]);
        const auto id = rest.begin() + extra_size, name = id + id_size;
        snapshot.id.assign(id, name);
        snapshot.name.assign(name, name + name_size);
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

}
