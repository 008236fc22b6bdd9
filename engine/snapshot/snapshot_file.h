#pragma once
// What the files of a snapshots' directory hold; FORMAT.md, "Sections".

#include <map>
#include <optional>
#include <string>

#include "engine/base/file_descriptor.h"
#include "engine/engine.h"
#include "engine/snapshot/page_table.h"
#include "engine/state/state_map.h"

namespace engine {

// A disk as it was cut: the image that the definition names, and the layers above it, lowest first. All are complete. The last
// one counts; some of the others may have been merged into those above them since (disk_layers.h).
struct DiskLayers {
    std::string image;
    std::vector<std::string> layers;    // file names in the directory
    u64 size = 0;    // bytes
};

// What the machine's definition must agree with.
using MachineParts = StateMap;

struct SnapshotContent {
    SnapshotInfo info;    // own_bytes is without this file
    MachineParts machine;
    std::map<std::string, StateMap> states;    // by device
    SharedTables pages;    // null without memory
    std::vector<DiskLayers> disks;
};

std::vector<u8> pack_snapshot(const SnapshotContent& content, PageStore& store);
// `most_pages` bounds each block. The name is for messages.
Result<SnapshotContent> unpack_snapshot(std::span<const u8> bytes, PageStore& store, u64 most_pages, const std::string& name);
// The disks alone, from the file's first bytes; nothing where they aren't all among these.
Result<std::optional<std::vector<DiskLayers>>> unpack_disks(std::span<const u8> bytes, const std::string& name);
// What a list shows, from the file's first bytes; without sizes.
Result<SnapshotInfo> unpack_info(std::span<const u8> bytes, const std::string& name);

// Where the machine stands.
struct Present {
    std::string snapshot;    // the one it grew from
    std::string saved_state;    // the one to go on from
    bool running = false;
    u64 generation_low = 0, generation_high = 0;    // the machine's generation ID; 0: none yet
    std::vector<DiskLayers> disks;    // the topmost layer is the one that is written
};
std::vector<u8> pack_present(const Present& present);
Result<Present> unpack_present(std::span<const u8> bytes, const std::string& name);

struct Label {
    std::string name, note;
    std::string parent{};    // of a snapshot that is gone for good: its nearest ancestor that was not
};
std::vector<u8> pack_label(const Label& label);
Result<Label> unpack_label(std::span<const u8> bytes, const std::string& name);

}
