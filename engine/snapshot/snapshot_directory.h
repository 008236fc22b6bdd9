#pragma once
// The files of a snapshots' directory: names, reading whole, and writing so that a crash leaves the old or the new.

#include <span>
#include <string>
#include <vector>

#include "engine/base/file_descriptor.h"
#include "engine/snapshot/snapshot_file.h"

namespace engine {

constexpr const char* snapshot_suffix = ".snapshot";
constexpr const char* removed_suffix = ".removed";
constexpr const char* linked_suffix = ".linked";
constexpr const char* label_suffix = ".label";

class SnapshotDirectory {
public:
    // Whose present is meant: the machine's, or that of a trial (MachineDefinition::trial).
    enum class Whose : u8 { machine, trial };

    explicit SnapshotDirectory(std::string path, Whose whose = Whose::machine)
        : path_(std::move(path)),
          present_name_(whose == Whose::trial ? "trial" : "present")
    {
    }

    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }
    static std::string new_id();    // 16 hexadecimal digits
    static bool is_id(const std::string& id);

    // Made where it is missing; only for its owner.
    Result<void> make() const;
    // Names of files that end in `suffix`, without it.
    std::vector<std::string> names(const std::string& suffix) const;
    u64 size(const std::string& name) const;    // 0 where there is none
    bool has(const std::string& name) const;

    // At most `limit` bytes from the start.
    Result<std::vector<u8>> read(const std::string& name, u64 limit) const;
    // Written beside, made last, then renamed and the directory made last.
    Result<void> write(const std::string& name, std::span<const u8> bytes) const;
    Result<void> rename(const std::string& from, const std::string& to) const;
    void remove(const std::string& name) const;
    // What writes that were interrupted left; not what another process is writing.
    void remove_unfinished() const;

    Result<SnapshotInfo> info(const std::string& id, const std::string& suffix = ".snapshot") const;
    Result<SnapshotContent> snapshot(const std::string& id, PageStore& store, const std::string& suffix = ".snapshot") const;
    // Its disks alone, which is quicker.
    Result<std::vector<DiskLayers>> disks(const std::string& id, const std::string& suffix) const;
    Result<Present> present() const;    // a default one where there is no file
    Result<void> set_present(const Present& present) const;
    void remove_present() const { remove(present_name_); }
    Result<Present> link(const std::string& id) const;    // ID.linked
    std::optional<Label> label(const std::string& id) const;    // ID.label; nothing where there is none, or it can't be read
    Result<void> set_label(const std::string& id, const Label& label) const;

    // Shared while a snapshot is written or looked at for its pages, exclusive while space is freed. Waits five seconds or
    // a little more for others.
    enum class Use : u8 { shared, exclusive };
    Result<FileDescriptor> lock(Use use) const;

private:
    static FileDescriptor open_beside(const std::string& beside);
    Result<void> sync() const;
    std::string path_, present_name_;
};

}
