#pragma once
// The file in which a machine's firmware keeps its variables: what the second flash chip holds, byte for byte.
//
// The guest does not wait for it. Soon after each change the whole is written beside the file, made durable, and takes its
// name, so that the file is always what the chip held at one instant: firmware orders its writes for that. What was written in
// the last moments before the host lost its power may be missing.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"
#include "engine/block/worker.h"
#include "engine/memory/memory_block.h"
#include "engine/snapshot/snapshot_file.h"

namespace engine {

// As a file; any one thread at a time.
class VariableFile {
public:
    // Made where it is missing, with `initial` in it. Held against other processes until this object goes. An error where the
    // file is in use, or has another length than `initial`.
    static Result<VariableFile> open(const std::string& path, std::span<const u8> initial);

    std::vector<u8> take_content() { return std::move(content_); }    // as it was opened
    Result<void> replace(std::span<const u8> content);

private:
    explicit VariableFile(std::string path) : path_(std::move(path)) { }
    Error trouble(int error_number) const;
    Result<void> read(u64 size);

    std::string path_;
    FileDescriptor held_;
    std::vector<u8> content_;
};

// As it follows the chip.
class VariableStore {
public:
    struct Wires {
        std::mutex& machine_lock;
        WorkerPool& workers;
        std::function<void(const Error&)> failed;    // the machine's lock is held
    };
    // `chip` outlives it.
    VariableStore(VariableFile file, const MemoryBlock& chip, Wires wires);
    // Without the lock. Waits until all is written.
    ~VariableStore();
    VariableStore(const VariableStore&) = delete;
    VariableStore& operator=(const VariableStore&) = delete;

    // The machine's lock is held.
    void changed();
    void retry_failed();

private:
    void begin();
    void write_changes();

    VariableFile file_;
    const MemoryBlock& chip_;
    Wires wires_;
    std::condition_variable idle_;
    bool dirty_ = false, busy_ = false;
};

// The chip among a snapshot's states, also of a snapshot of the disks alone.
constexpr const char* variable_chip = "flash.1";
// What a chip must have in common with the one that was saved (MachineParts).
constexpr const char* variable_bytes = "bytes of firmware settings";
// Of a machine that doesn't run: nothing where there is no such file.
void save_variables(const std::string& path, SnapshotContent& content);
// The whole chip; nothing where the snapshot has none.
std::optional<std::vector<u8>> variables_in(const SnapshotContent& content);
// Those of a trial, as long as there is one.
std::string trial_variables(const std::string& snapshots);

}
