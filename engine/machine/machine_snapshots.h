#pragma once
// What a machine does with its snapshots: cuts them while it runs, goes back to them, begins with one.

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/machine/board/board.h"
#include "engine/machine/layer_keeper.h"
#include "engine/machine/life_cycle.h"
#include "engine/machine/snapshot_disks.h"
#include "engine/snapshot/memory_keeper.h"
#include "engine/snapshot/memory_source.h"
#include "engine/snapshot/snapshot_directory.h"

namespace engine {

class MachineSnapshots {
public:
    enum class Afterwards : u8 { runs_on, stops };

    // Reads where the machine stands and what it is to begin with; an error where that can't be.
    static Result<std::unique_ptr<MachineSnapshots>>
    open(const MachineDefinition& definition, LifeCycle& life, Listener& listener);
    ~MachineSnapshots();
    MachineSnapshots(const MachineSnapshots&) = delete;
    MachineSnapshots& operator=(const MachineSnapshots&) = delete;

    // The definition with the images to open in place of its own.
    MachineDefinition apply(MachineDefinition definition) const { return disks_.apply(std::move(definition)); }
    // The board is built; it outlives this. Whether it can begin with what it is to begin with.
    Result<void> attach(Board& board);
    // The snapshot that the machine begins with, or start_cold.
    std::string begins_with() const { return start_ ? start_->info.id : MachineDefinition::start_cold; }
    // Inside LifeCycle::start(), on a board that just woke. Writes down that the machine runs.
    Result<void> begin();
    // The machine has stopped, or is about to be given up. Any thread.
    void stopped();
    // Waits for what is being written or brought back; before LifeCycle::shut_down(), and the last use of this.
    void finish();

    // The owner's thread; see Machine.
    Result<void> take(const SnapshotRequest& request, Afterwards afterwards);
    Result<void> restore(const std::string& id);
    std::string present() const;
    // Any thread: deleted snapshots are gone, and may leave layers of disks to be merged.
    void merge_layers();

private:
    struct Cut;

    MachineSnapshots(const MachineDefinition& definition, LifeCycle& life, Listener& listener);
    Result<void> read_present();
    Result<void> choose_start(const std::string& wanted);
    Result<void> about_to_start();
    Result<void> begin_with_start();
    void branch_off();
    Result<void> check(const SnapshotContent& content) const;

    Result<void> begin_job(std::function<void()> job);
    bool at_rest(std::function<void()> work);
    Result<SnapshotInfo> save(const SnapshotRequest& request, Afterwards afterwards);
    void cut(Cut& cut, Afterwards afterwards);
    void write_on_here();
    Result<void> write_down(SnapshotContent& content, u64 bytes, Afterwards afterwards);
    Result<void> copy_ahead(const MemoryKeeper::Progress& progress);
    void go_on(Cut& cut);
    Result<SnapshotInfo> give_up(Cut& cut, const Error& error);
    void forget_closing(const std::string& but);
    void learn_from(const std::string& id);

    Result<void> go_back(const std::string& id);
    Result<void> apply(const SnapshotContent& content, const SnapshotDisks::Branch* branch);
    Result<void> return_to(const std::vector<DiskLayers>& layers, const DeviceStates& states);
    Result<void> move_to(const std::string& id, const std::vector<DiskLayers>& layers);
    void replace_memory(const SharedTables& tables);
    void replace_block(unsigned block, const PageTable& wanted);
    void merge_layers_in(std::chrono::milliseconds time);
    Result<void> move_present(const std::function<void(Present&)>& change);

    LifeCycle& life_;
    Listener& listener_;
    const bool trial_;
    SnapshotDirectory directory_;
    SnapshotDisks disks_;
    LayerKeeper layer_keeper_;
    PageStore store_;
    Board* board_ = nullptr;
    std::unique_ptr<MemoryKeeper> keeper_;
    std::unique_ptr<MemorySource> source_;
    std::optional<SnapshotContent> start_;    // what the machine begins with
    GenerationId generation_;    // from the start on
    FileDescriptor start_lock_;    // until it is written down that it does

    mutable std::mutex present_mutex_;
    Present present_;
    Present before_;    // as it was found

    std::atomic<bool> busy_ = false;
    std::thread job_;
};

}
