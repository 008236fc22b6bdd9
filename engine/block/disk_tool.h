#pragma once
// What a person does to disk images while no machine uses them: making, looking into, checking, converting, compacting and
// resizing them, and the snapshots inside them. Everything waits; an image that is in use elsewhere is refused. A new file appears only when it is complete.

#include <functional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine {

// Called now and then with what is done, 0 to 1. False stops the work, which leaves everything as it was.
using DiskProgress = std::function<bool(double done)>;

// A format is given by its name ("raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx"), or "" for what the file's name says.
struct DiskSource {
    std::string path;
    std::string format{};
    std::string snapshot{};    // an internal one by id or name
    std::vector<std::string> trusted_folders{};    // where images below may lie beside the image's own folder
};

struct NewDisk {
    std::string path;
    std::string format{};    // raw or qcow2
    u64 size = 0;    // bytes; 0 with an image below takes its size
    u32 cluster_size = 65536;    // bytes, qcow2
    bool preallocate = false;    // qcow2: every cluster has its place from the start
    bool lazy_refcounts = false;
    std::string below{}, below_format{};    // an image to lay it over, qcow2
};
Result<void> create_disk(const NewDisk& disk);

// The format of a file that a person hands over, by what it holds; "raw" where nothing says otherwise. To be recorded with the
// disk: a guest can make a raw disk look like anything.
Result<std::string> probe_disk_format(const std::string& path);

struct DiskInfo {
    struct Snapshot {
        std::string id, name;
        u64 disk_size = 0, vm_state_size = 0;    // bytes
        u32 date_seconds = 0;    // since 1970
    };
    std::string path, format;
    u64 size = 0, bytes_on_disk = 0;
    // qcow2
    unsigned version = 0;
    u64 cluster_size = 0;
    std::string compression, below, below_format;
    bool lazy_refcounts = false, dirty = false, corrupt = false;
    std::vector<Snapshot> snapshots;
};
// Also of an image that is in use.
Result<DiskInfo> disk_info(const DiskSource& disk);

struct DiskCheck {
    u64 leaks = 0, corruptions = 0;
    u64 repaired_leaks = 0, repaired_corruptions = 0;
    std::vector<std::string> findings;
    u64 clusters = 0, allocated = 0, compressed = 0, end = 0;
    bool clean() const { return leaks == repaired_leaks && corruptions == repaired_corruptions; }
};
Result<DiskCheck> check_disk(const DiskSource& disk, bool repair, const DiskProgress& progress = {});

struct Conversion {
    DiskSource from;
    std::string to, to_format{};    // raw or qcow2
    bool compress = false;    // qcow2
};
// Joins the images below into one. What reads as zeroes takes no room.
Result<void> convert_disk(const Conversion& conversion, const DiskProgress& progress = {});

// Gives back the room of what reads as zeroes and of what nothing refers to; the images below stay as they are. The new file
// takes the old one's place when it is complete. Returns the bytes won on the host's disk.
Result<u64> compact_disk(const DiskSource& disk, const DiskProgress& progress = {});

enum class Shrinking : u8 { refused, allowed };
Result<void> resize_disk(const DiskSource& disk, u64 size, Shrinking shrinking);

// Snapshots inside a qcow2 image, by id or name; disk_info() lists them. Going back loses what the disk is now, and gives it
// its size of then; images that lie over this one are of no use afterwards.
Result<void> take_disk_snapshot(const DiskSource& disk, const std::string& name);
Result<void> restore_disk_snapshot(const DiskSource& disk, const std::string& which);
Result<void> delete_disk_snapshot(const DiskSource& disk, const std::string& which);

}
