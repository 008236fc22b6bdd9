#include "engine/machine/machine_snapshots.h"

#include <algorithm>
#include <future>

#include <pthread.h>
#include <sys/random.h>

#include "engine/base/text.h"
#include "engine/machine/firmware/variable_store.h"
#include "engine/machine/new_snapshot.h"
#include "engine/snapshot/container.h"
#include "engine/snapshot/thumbnail.h"

namespace engine {

namespace {
Error no_place()
{
    return {
        "The machine can't have snapshots", "It was started without a place to keep them",
        "Make a machine of the library of it: those have one"};
}

Error other_disks()
{
    return {
        "The machine's disks are not those of its snapshots", "What was written since the first one lies beside them",
        "Give it back the disks that it had, in the same order"};
}

constexpr std::size_t most_screen_text = 16384;
// Layers are merged once a guest has come up, and what was thought of at a snapshot was done.
constexpr std::chrono::seconds after_a_start{30}, after_a_snapshot{3};
}

// What is cut at one instant.
struct MachineSnapshots::Cut {
    SnapshotContent content;
    std::shared_ptr<const Frame> frame;
    SnapshotDisks::Branch branch;    // where the machine writes on
    Result<void> changed;
    bool was_running = false;
    bool waits = false;    // the guest, for its memory to be saved
};

MachineSnapshots::MachineSnapshots(const MachineDefinition& definition, LifeCycle& life, Listener& listener)
    : life_(life),
      listener_(listener),
      trial_(definition.trial),
      directory_(definition.snapshots, trial_ ? SnapshotDirectory::Whose::trial : SnapshotDirectory::Whose::machine),
      disks_(directory_, definition),
      layer_keeper_(directory_, disks_),
      store_(definition.snapshots)
{
}

MachineSnapshots::~MachineSnapshots()
{
    finish();
}

void MachineSnapshots::finish()
{
    layer_keeper_.stop();
    if (job_.joinable())
        job_.join();
}

Result<std::unique_ptr<MachineSnapshots>>
MachineSnapshots::open(const MachineDefinition& definition, LifeCycle& life, Listener& listener)
{
    std::unique_ptr<MachineSnapshots> snapshots(new MachineSnapshots(definition, life, listener));
    if (auto read = snapshots->read_present(); !read)
        return read.error();
    if (auto chosen = snapshots->choose_start(definition.start_from); !chosen)
        return chosen.error();
    return snapshots;
}

Result<void> MachineSnapshots::read_present()
{
    branch_off();
    if (directory_.path().empty() || trial_)
        return {};
    auto present = directory_.present();
    if (!present)
        return present.error();
    before_ = present_ = std::move(*present);
    if (present_.generation_low || present_.generation_high)
        generation_ = {present_.generation_low, present_.generation_high};
    if (present_.disks.empty() || disks_.stand_on(present_.disks))
        return {};
    return other_disks();
}

Result<void> MachineSnapshots::choose_start(const std::string& wanted)
{
    if (trial_ && (wanted.empty() || wanted == MachineDefinition::start_cold))
        return Error{"The trial can't be started", "It does not say which snapshot it begins with", "Take a snapshot first"};
    if (wanted == MachineDefinition::start_cold)
        return {};
    const std::string id = wanted.empty() ? present_.saved_state : wanted;
    if (id.empty())
        return {};
    if (!wanted.empty())
        branch_off();
    if (directory_.path().empty())
        return no_place();
    auto content = directory_.snapshot(id, store_);
    if (!content)
        return content.error();
    // What was saved when the machine was closed goes on with the disks as they are; nothing was written since.
    if (!wanted.empty()) {
        auto lock = directory_.lock(SnapshotDirectory::Use::shared);
        if (!lock)
            return lock.error();
        start_lock_ = std::move(*lock);
        if (!disks_.stand_on(content->disks))
            return other_disks();
        auto layers = disks_.make_layers(content->disks, SnapshotDirectory::new_id());
        if (!layers)
            return layers.error();
        disks_.use(std::move(*layers));
    }
    start_ = std::move(*content);
    return {};
}

// Time goes two ways from here on: whoever knows the machine by its generation takes it for another.
void MachineSnapshots::branch_off()
{
    while (::getrandom(&generation_, sizeof generation_, 0) != sizeof generation_) { }
}

Result<void> MachineSnapshots::attach(Board& board)
{
    board_ = &board;
    disks_.attach(board.disks());
    keeper_ = board.tells_of_writes()
        ? std::make_unique<MemoryKeeper>(board.memories())
        : std::make_unique<MemoryKeeper>(board.memories(), MemoryKeeper::Writers::logged, MemoryKeeper::pool_for_logged);
    const auto on_damage = [this](const Error& error) {
        life_.events().post([this, error] { life_.request_stop({.kind = StopReason::Kind::crashed, .text = error.text()}); });
    };
    const auto accessors = board.tells_of_writes() ? MemorySource::Accessors::asking : MemorySource::Accessors::kernel;
    source_ = std::make_unique<MemorySource>(board.memories(), store_, on_damage, accessors);
    return start_ ? check(*start_) : Result<void>();
}

// Everything that a guest can have noticed of its machine has to be there.
Result<void> MachineSnapshots::check(const SnapshotContent& content) const
{
    if (!content.info.with_memory)
        return {};
    const StateMap wanted = board_->description();
    for (const auto& [name, value] : wanted.scalars) {
        const auto found = content.machine.scalars.find(name);
        const u64 saved = found == content.machine.scalars.end() ? 0 : found->second;
        if (saved != value)
            return Error{
                text("The machine can't go back to \"", content.info.name, "\""),
                text("It differs from the machine that was saved: ", name, ", ", saved, " then and ", value, " now"),
                "Set the machine as it was, or clone a machine from the snapshot"};
    }
    const PageTables none;
    const PageTables& tables = content.pages ? *content.pages : none;
    for (const MemoryBlock* const block : board_->memories()) {
        const auto table = tables.find(block->name());
        if (table == tables.end() || table->second.size() != block->pages())
            return damaged(directory_.file(content.info.id + ".snapshot"), text("It lacks the machine's ", block->name()));
    }
    return {};
}

Result<void> MachineSnapshots::move_present(const std::function<void(Present&)>& change)
{
    const std::lock_guard lock(present_mutex_);
    change(present_);
    if (directory_.path().empty() || !directory_.has("."))
        return {};
    return directory_.set_present(present_);
}

std::string MachineSnapshots::present() const
{
    const std::lock_guard lock(present_mutex_);
    return present_.snapshot;
}

Result<void> MachineSnapshots::about_to_start()
{
    // Its generation is kept from the first start on.
    if (!directory_.path().empty())
        if (auto made = directory_.make(); !made)
            return made;
    return move_present([this](Present& present) {
        if (start_)
            present.snapshot = start_->info.id;
        present.saved_state.clear();
        present.running = true;
        present.generation_low = generation_.low;
        present.generation_high = generation_.high;
        present.disks = disks_.layers();
    });
}

Result<void> MachineSnapshots::begin()
{
    // The disk is slow; what it is told has to be there only before the guest runs.
    auto written = std::async(std::launch::async, [this] { return about_to_start(); });
    auto begun = begin_with_start();
    board_->set_generation(generation_);
    auto noted = written.get();
    // What could not be gone on from is not lost by that.
    if (!begun)
        (void)move_present([before = before_](Present& present) { present = before; });
    start_.reset();
    start_lock_ = {};
    merge_layers_in(after_a_start);
    return begun ? noted : begun;
}

Result<void> MachineSnapshots::begin_with_start()
{
    if (!start_)
        return {};
    const SnapshotContent& content = *start_;
    if (!content.info.with_memory) {
        if (const auto variables = variables_in(content)) {
            board_->load_variables(*variables);
            board_->loaded();
        }
        return {};
    }
    if (auto applied = apply(content, nullptr); !applied)
        return applied;
    source_->start();
    listener_.snapshot_restored(content.info.id);
    return {};
}

void MachineSnapshots::stopped()
{
    // What can't be written down now is taken for an interrupted machine later, which is the careful side.
    (void)move_present([](Present& present) { present.running = false; });
}

// A trial's layers go with it, and those that it lies over are the machine's.
void MachineSnapshots::merge_layers_in(std::chrono::milliseconds time)
{
    if (!trial_ && !directory_.path().empty())
        layer_keeper_.wake(time);
}

void MachineSnapshots::merge_layers()
{
    merge_layers_in(std::chrono::milliseconds(0));
}

Result<void> MachineSnapshots::begin_job(std::function<void()> job)
{
    if (directory_.path().empty())
        return no_place();
    if (const MachineState state = life_.state(); state != MachineState::running && state != MachineState::paused)
        return Error{"There is nothing to save or to replace", "The machine is not running", "Start it first"};
    if (busy_.exchange(true))
        return Error{"Another snapshot is under way", "There can be one at a time", "Wait until it is written"};
    if (job_.joinable())
        job_.join();
    job_ = std::thread([this, job = std::move(job)] {
        pthread_setname_np(pthread_self(), "snapshot");
        job();
    });
    return {};
}

// Waits until `work` has run with the machine at rest; false where the machine has stopped and it never will.
bool MachineSnapshots::at_rest(std::function<void()> work)
{
    struct Turn {
        std::mutex mutex;
        std::function<void()> work;
        std::promise<void> done;
    };
    const auto turn = std::make_shared<Turn>();
    turn->work = std::move(work);
    auto done = turn->done.get_future();
    life_.at_rest(
        [turn] {
            const std::lock_guard lock(turn->mutex);
            if (turn->work)
                turn->work();
        },
        [turn] { turn->done.set_value(); });
    while (done.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) {
        if (life_.state() != MachineState::stopped)
            continue;
        const std::lock_guard lock(turn->mutex);
        if (done.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
            return true;
        turn->work = {};
        return false;
    }
    return true;
}

Result<void> MachineSnapshots::take(const SnapshotRequest& request, Afterwards afterwards)
{
    return begin_job([=, this] {
        const auto saved = save(request, afterwards);
        busy_ = false;
        if (afterwards != Afterwards::stops)
            merge_layers_in(after_a_snapshot);
        if (!saved)
            return listener_.snapshot_failed(saved.error());
        listener_.snapshot_taken(saved.value());
        if (afterwards != Afterwards::stops)
            return;
        // The person has left: what was removed can't be brought back any more.
        if (const auto tree = SnapshotTree::open(directory_.path()); tree && !trial_)
            (void)tree.value()->sweep();
        life_.events().post([this] { life_.request_stop({.kind = StopReason::Kind::saved}); });
    });
}

void MachineSnapshots::cut(Cut& cut, Afterwards afterwards)
{
    cut.content.states = board_->save();
    cut.content.info.guest_nanoseconds = life_.clock().now();
    cut.content.disks = disks_.layers();
    cut.frame = board_->frame();
    cut.was_running = life_.state() == MachineState::running;
    board_->collect_writes();
    const auto writing = afterwards == Afterwards::stops ? MemoryKeeper::Writing::waits : MemoryKeeper::Writing::goes_on;
    cut.waits = keeper_->freeze(writing) == MemoryKeeper::Writing::waits;
    board_->forget_writable();
    cut.changed = disks_.change(cut.branch);
    if (cut.waits)
        life_.request_pause();
}

Result<SnapshotInfo> MachineSnapshots::save(const SnapshotRequest& request, Afterwards afterwards)
{
    if (auto made = directory_.make(); !made)
        return made.error();
    if (!trial_ && disks_.is_full())
        layer_keeper_.make_room();
    const auto lock = directory_.lock(SnapshotDirectory::Use::shared);
    if (!lock)
        return lock.error();
    Cut cut;
    SnapshotInfo& info = cut.content.info = new_snapshot(request, present());
    if (afterwards == Afterwards::stops && !trial_)
        info.kind = SnapshotInfo::Kind::closing;
    if (!keeper_->has_base())
        learn_from(info.parent);
    if (auto begun = store_.begin(info.id); !begun)
        return begun.error();
    const auto progress = [&](u64 done, u64 total) {
        listener_.snapshot_progress({info.id, done * page_size, total * page_size});
    };
    if (afterwards != Afterwards::stops && !board_->tells_of_writes())
        if (auto copied = copy_ahead(progress); !copied)
            return give_up(cut, copied.error());
    auto branch = disks_.branch_here(info.id);
    if (!branch)
        return give_up(cut, branch.error());
    cut.branch = std::move(*branch);
    if (auto moved = move_present([&](Present& present) { present.disks = cut.branch.layers; }); !moved)
        return give_up(cut, moved.error());
    if (!at_rest([&] { this->cut(cut, afterwards); }))
        return give_up(cut, Error{"The snapshot was not taken", "The machine has stopped meanwhile", "Start it again first"});
    info.taken_at = milliseconds_now();
    info.screen_text = board_->screen_text().rows.substr(0, most_screen_text);
    auto tables = keeper_->save(store_, progress);
    keeper_->release();
    if (!tables)
        return give_up(cut, tables.error());
    if (afterwards == Afterwards::runs_on)
        go_on(cut);
    if (auto sealed = disks_.wait_sealed(); !sealed || !cut.changed)
        return give_up(cut, sealed ? cut.changed.error() : sealed.error());
    const auto bytes = store_.finish();
    if (!bytes)
        return give_up(cut, bytes.error());
    cut.content.pages = *tables;
    cut.content.machine = board_->description();
    info.memory_bytes = cut.content.machine.scalars["bytes of memory"];
    if (cut.frame)
        info.thumbnail = make_thumbnail(*cut.frame);
    if (auto written = write_down(cut.content, bytes.value(), afterwards); !written)
        return give_up(cut, written.error());
    keeper_->accept(std::move(*tables));
    return std::move(info);
}

void MachineSnapshots::go_on(Cut& cut)
{
    if (std::exchange(cut.waits, false) && cut.was_running)
        life_.resume();
}

// The machine goes on as if nothing had been asked.
Result<SnapshotInfo> MachineSnapshots::give_up(Cut& cut, const Error& error)
{
    keeper_->release();
    store_.abandon();
    write_on_here();
    go_on(cut);
    return error;
}

// What was to become the topmost layers may never have been.
void MachineSnapshots::write_on_here()
{
    (void)move_present([this](Present& present) { present.disks = disks_.layers(); });
}

Result<void> MachineSnapshots::write_down(SnapshotContent& content, u64 bytes, Afterwards afterwards)
{
    content.info.own_bytes = bytes;
    const auto packed = pack_snapshot(content, store_);
    if (auto written = directory_.write(content.info.id + ".snapshot", packed); !written)
        return written;
    content.info.own_bytes += packed.size();
    auto moved = move_present([&](Present& present) {
        present.snapshot = content.info.id;
        if (afterwards == Afterwards::stops)
            present.saved_state = content.info.id;
    });
    if (moved)
        forget_closing(content.info.id);
    else
        directory_.remove(content.info.id + ".snapshot");
    return moved;
}

// What was saved to close the machine is left behind once something else was saved, but for what a person gave a name or note.
void MachineSnapshots::forget_closing(const std::string& but)
{
    if (trial_)
        return;
    for (const std::string& id : directory_.names(".snapshot"))
        if (id != but)
            if (const auto info = directory_.info(id); info && info.value().kind == SnapshotInfo::Kind::closing
                && info.value().name.empty() && info.value().note.empty())
                (void)directory_.rename(id + ".snapshot", id + ".removed");
}

void MachineSnapshots::learn_from(const std::string& id)
{
    if (id.empty())
        return;
    const auto content = directory_.snapshot(id, store_);
    if (!content || !content.value().pages)
        return;
    for (const auto& [name, table] : *content.value().pages)
        for (const PageRef ref : table)
            store_.learn(ref);
}

Result<void> MachineSnapshots::restore(const std::string& id)
{
    return begin_job([=, this] {
        const auto restored = go_back(id);
        busy_ = false;
        merge_layers_in(after_a_snapshot);
        if (restored)
            listener_.snapshot_restored(id);
        else
            listener_.restore_failed(restored.error());
    });
}

Result<void> MachineSnapshots::go_back(const std::string& id)
{
    const auto content = directory_.snapshot(id, store_);
    if (!content)
        return content.error();
    if (auto fits = check(content.value()); !fits)
        return fits;
    if (!content.value().info.with_memory)
        return Error{
            "The machine can't go back to this snapshot while it runs", "It was taken while the machine was off",
            "Switch the machine off, then start it from the snapshot"};
    const auto lock = directory_.lock(SnapshotDirectory::Use::shared);
    if (!lock)
        return lock.error();
    auto branch = disks_.branch_from(content.value().disks, SnapshotDirectory::new_id());
    if (!branch)
        return branch.error();
    const std::string before = present();
    branch_off();
    if (auto moved = move_to(id, branch->layers); !moved)
        return moved;
    source_->stop();
    Result<void> applied;
    if (!at_rest([&] { applied = apply(content.value(), &branch.value()); }))
        return Error{"The machine did not go back", "It has stopped meanwhile", "Start it from the snapshot"};
    source_->start();
    if (!applied)
        (void)move_to(before, disks_.layers());
    return applied;
}

// The machine stands still, or doesn't run yet. Disks come first: what was under way to them is repeated as devices load.
Result<void> MachineSnapshots::apply(const SnapshotContent& content, const SnapshotDisks::Branch* branch)
{
    const DeviceStates before = board_->save();
    const std::vector<DiskLayers> layers_before = disks_.layers();
    const u64 time_before = life_.clock().now();
    if (branch)
        if (auto changed = disks_.change(*branch); !changed)
            return changed;
    life_.clock().set(content.info.guest_nanoseconds);
    if (const std::string trouble = board_->load(content.states); !trouble.empty()) {
        life_.clock().set(time_before);
        if (branch)
            if (auto returned = return_to(layers_before, before); !returned)
                return returned;
        return damaged(
            directory_.file(content.info.id + ".snapshot"), text("It describes a part of the machine as it can't be: ", trouble));
    }
    board_->set_generation(generation_);
    replace_memory(content.pages);
    if (!source_->sound())
        return damaged(directory_.file(content.info.id + ".snapshot"), "The memory of its display can't be read");
    board_->loaded();
    return {};
}

// As it was; its disks have been completed by now, and go on in new layers.
Result<void> MachineSnapshots::return_to(const std::vector<DiskLayers>& layers, const DeviceStates& states)
{
    (void)disks_.wait_sealed();
    auto branch = disks_.branch_from(layers, SnapshotDirectory::new_id());
    if (!branch)
        return branch.error();
    if (auto changed = disks_.change(*branch); !changed)
        return changed;
    (void)board_->load(states);
    return {};
}

Result<void> MachineSnapshots::move_to(const std::string& id, const std::vector<DiskLayers>& layers)
{
    return move_present([&](Present& present) {
        present.snapshot = id;
        present.saved_state.clear();
        present.generation_low = generation_.low;
        present.generation_high = generation_.high;
        present.disks = layers;
    });
}

}
