#pragma once
// All that app/, ui/ and display/ may include of the engine.
//
// Threads: every method of Machine may be called from any one thread at a time (the owner's) and returns without
// waiting for the guest, except start(), which builds the machine, and the destructor, which stops it. Listener methods
// are called on engine threads and must return at once (post to your own thread).

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/translation.h"
#include "engine/base/types.h"
#include "engine/device/display/frame.h"

namespace engine {

// lockstep: the translator with every block checked against the interpreter; one processor, slow, for developers.
enum class Accelerator : u8 { automatic, kvm, translator, interpreter, lockstep };

struct MachineDefinition {
    std::string name = "machine";
    u64 memory_mib = 1024;    // 1 to 1048576, within what the host can give
    unsigned cpus = 1;    // 1 to 32
    Accelerator accelerator = Accelerator::automatic;
    bool avx512 = false;    // its processors have AVX-512 and can only go on where the host has; a snapshot's are as they were

    std::vector<std::string> disks;    // images, IDE order; at most 2 beside the optical drive, 3 in all with it
    std::vector<std::string> disk_formats;    // of each disk: "raw", "qcow2" …; "" or missing: its file's name says it
    // Of each disk: "writeback", also where "" or missing; "none", past the host's cache; "unsafe", without flushing.
    std::vector<std::string> disk_caches;
    std::vector<std::string> image_folders;    // from which images below a disk's may come, beside its own folder
    std::string cdrom;    // ISO image, empty drive where ""; the drive is always there
    std::string floppy;    // raw floppy image, "" for an empty drive
    std::string kernel, initrd, append;    // direct boot: a Linux bzImage or a Multiboot ELF
    std::string boot_order;    // letters as in "dca": d optical, c disk, a floppy; "" chooses what is there

    enum class Serial : u8 { none, callback, file } serial = Serial::callback;
    std::string serial_file;
    bool test_device = false;    // isa-debug-exit at 0xf4, debug console, pc-testdev
    bool perf_map = false;    // the translator names its code for perf, in /tmp/perf-PID.map
    // A BIOS image, or the directory of one and a VGA BIOS; "" is Debian's seabios package, `uefi` its ovmf package. An image
    // whose name holds CODE is a flash chip's where a file with VARS in that place lies beside it.
    std::string firmware;
    static constexpr const char* uefi = "uefi";
    // Where firmware in flash keeps its settings; made when it is needed. "": they go with the machine.
    std::string firmware_variables;

    // Where the machine's snapshots lie (engine/snapshot/FORMAT.md); made when it is needed. "": it has none.
    std::string snapshots;
    // What start() begins with: a snapshot's id; start_cold; or "", which goes on where the machine was closed by
    // save_and_stop(), and otherwise powers it on.
    static constexpr const char* start_cold = "cold";
    std::string start_from;
    // A trial beside the machine, which may run meanwhile: begins with the snapshot `start_from`, and what is written goes to
    // layers that end_trial() throws away. Snapshots taken in it stay; save_and_stop() takes a `manual` one. One at a time.
    bool trial = false;
};

enum class MachineState : u8 { created, running, paused, stopped };

// Why a machine stopped.
struct StopReason {
    // saved: by save_and_stop(); the next start goes on from there.
    enum class Kind : u8 { powered_off, guest_exit, crashed, host_request, saved } kind = Kind::powered_off;
    int exit_code = 0;    // guest_exit: what the test device was told, as the process's exit code
    std::string text;    // crashed: what happened, for a person
};

// A picture of the screen, at most 256 pixels wide and high. Pixels are 0xffRRGGBB, rows without gaps.
struct Thumbnail {
    u32 width = 0, height = 0;
    std::vector<u32> pixels;
};

// What a list of snapshots shows of one.
struct SnapshotInfo {
    // manual: a person asked for it. automatic: a point on the film strip. closing: made by save_and_stop(), and gone
    // once the machine has been saved again or has left it behind, unless it was given a name or a note.
    enum class Kind : u8 { manual, automatic, closing } kind = Kind::manual;

    std::string id;    // 16 hexadecimal digits, unique among the machine's snapshots
    std::string parent;    // the snapshot it was taken after, "" for the first one; may have been deleted since
    std::string name, note;    // UTF-8; name at most 200 bytes, note 8000
    u64 taken_at = 0;    // milliseconds since 1970, UTC
    u64 guest_nanoseconds = 0;    // the machine's own time
    bool with_memory = true;    // false: taken while the machine was off
    u64 memory_bytes = 0;    // the guest's RAM
    u64 own_bytes = 0;    // written for it when it was taken, without disks
    // What deleting it would free now. Disks' layers count where nothing else needs them; what merging them with others gives
    // back later does not.
    u64 reclaimable_bytes = 0;
    std::string screen_text;    // at most 16 KiB
    Thumbnail thumbnail;    // may be empty
    std::string trouble;    // why it can't be gone back to, "" where it can
};

struct SnapshotRequest {
    std::string name, note;
    SnapshotInfo::Kind kind = SnapshotInfo::Kind::manual;
};

// Of the snapshot that is being written behind the running guest.
struct SnapshotProgress {
    std::string id;
    u64 done = 0, total = 0;    // bytes of guest memory looked at
};

class Listener {
public:
    virtual ~Listener() = default;
    virtual void state_changed(MachineState state) { (void)state; }
    virtual void stopped(const StopReason& reason) { (void)reason; }
    // The machine was paused because the host can't go on (its disk is full); resume() tries again.
    virtual void needs_attention(const Error& error) { (void)error; }
    virtual void frame_ready() { }    // look into Machine::frame()
    virtual void serial_output(std::string_view bytes) { (void)bytes; }
    virtual void debug_output(std::string_view bytes) { (void)bytes; }
    virtual void disk_active(unsigned drive, bool write) { (void)drive, (void)write; }
    // LEDs as in the keyboard's ED command: bit 0 scroll, 1 num, 2 caps.
    virtual void keyboard_leds(u8 leds) { (void)leds; }

    // After take_snapshot(): while it is written, then either of the two that follow. It exists from snapshot_taken() on.
    virtual void snapshot_progress(const SnapshotProgress& progress) { (void)progress; }
    virtual void snapshot_taken(const SnapshotInfo& snapshot) { (void)snapshot; }
    virtual void snapshot_failed(const Error& error) { (void)error; }
    // After restore_snapshot(), and after a start from a snapshot. A failure leaves the machine as it was.
    virtual void snapshot_restored(const std::string& id) { (void)id; }
    virtual void restore_failed(const Error& error) { (void)error; }
};

struct MachineStats {
    u64 instructions = 0;    // interpreted, of all vCPUs; 0 where unknown
    u64 guest_nanoseconds = 0;
    TranslatorCounts translator;
    u64 last_rest_nanoseconds = 0;    // how long the guest stood still for the last snapshot, or for going back
};

class Machine {
public:
    // Checks the definition, opens images and firmware, builds the board. The listener outlives the machine.
    static Result<std::unique_ptr<Machine>> create(const MachineDefinition& definition, Listener& listener);
    virtual ~Machine() = default;

    virtual void start() = 0;
    virtual void pause() = 0;
    virtual void resume() = 0;
    virtual void reset() = 0;    // the reset button
    virtual void press_power_button() = 0;    // asks the guest
    virtual void power_off() = 0;    // pulls the plug
    virtual MachineState state() const = 0;

    // What runs it, and why, in words for a status bar: {"Translator", "/dev/kvm is missing …"}.
    struct AcceleratorInUse {
        Accelerator accelerator;
        std::string reason;
    };
    virtual AcceleratorInUse accelerator() const = 0;

    // Input. `key` is an AT set-1 make code; extended keys are 0xe000 | code; Pause is 0xe11d.
    virtual void key(u16 code, bool down) = 0;
    // Relative motion in counts, wheel in notches (positive: away from the user), buttons bit 0 left, 1 right, 2 middle.
    virtual void pointer(int dx, int dy, int wheel, u8 buttons) = 0;
    virtual void serial_input(std::string_view bytes) = 0;

    virtual std::shared_ptr<const Frame> frame() const = 0;
    // Text on the screen now. May take a few milliseconds; any thread.
    virtual ScreenText screen_text() = 0;

    // "" ejects. The image is opened before the old one is let go.
    virtual Result<void> change_cdrom(const std::string& path) = 0;
    virtual Result<void> change_floppy(const std::string& path) = 0;

    virtual MachineStats stats() const = 0;
    // The blocks that cover a linear address in the address space that each vCPU has now. `done` is called on an engine
    // thread while the guest stands still; at once, with nothing, where the machine has ended.
    virtual void translation_of(u64 address, std::function<void(std::vector<TranslatedBlock>)> done) = 0;

    // Snapshots. The guest stops for milliseconds, then runs on while its memory is written; one at a time. Refused, in
    // words, where the machine has no place for snapshots, doesn't run, or another one is under way; what goes wrong
    // later arrives at the listener.
    virtual Result<void> take_snapshot(const SnapshotRequest& request) = 0;
    // Goes back, or sideways, to a snapshot. What the machine is now is lost unless a snapshot of it was taken.
    virtual Result<void> restore_snapshot(const std::string& id) = 0;
    // Takes a `closing` snapshot without letting the guest run on, then stops (StopReason::Kind::saved). On failure
    // snapshot_failed() arrives, and the machine goes on.
    virtual Result<void> save_and_stop() = 0;
    // The snapshot that the machine's present grew from, "" for none. Any thread.
    virtual std::string present_snapshot() const = 0;
    // Snapshots were deleted for good: soon, and beside the guest, disks' layers that none of them needs apart are merged. The
    // machine does so by itself too, some time after its start and after each snapshot. Any thread.
    virtual void merge_layers() = 0;
};

// The snapshots of a machine on disk: looking at them and putting them in order, whether the machine runs or not. Any one
// thread at a time for each object; several objects and processes may have the same directory open.
class SnapshotTree {
public:
    // A directory that doesn't exist is an empty tree.
    static Result<std::unique_ptr<SnapshotTree>> open(const std::string& directory);
    // The same tree; the present is that of the trial.
    static Result<std::unique_ptr<SnapshotTree>> open_of_trial(const std::string& directory);
    virtual ~SnapshotTree() = default;

    // Oldest first, without those that were removed. Reads the directory anew. With `whole` false thumbnails, screen text
    // and reclaimable sizes are left out, which is quicker.
    virtual std::vector<SnapshotInfo> list(bool whole = true) = 0;
    virtual Result<SnapshotInfo> find(const std::string& id_or_name) = 0;
    // Where the machine stands: "you are here" is a child of this one. "" for none.
    virtual std::string present() = 0;
    // The snapshot that an ordinary start goes on from, "" where it would power the machine on.
    virtual std::string saved_state() = 0;
    // The machine's process ended without stopping the machine: offer newest() beside an ordinary start.
    virtual bool interrupted() = 0;
    virtual std::string newest() = 0;

    virtual Result<void> rename(const std::string& id, const std::string& name) = 0;
    virtual Result<void> set_note(const std::string& id, const std::string& note) = 0;
    // Takes a snapshot out of the tree; its children become its parent's. Nothing is freed before sweep().
    virtual Result<void> remove(const std::string& id) = 0;
    virtual Result<void> undo_remove(const std::string& id) = 0;
    // Frees what no snapshot and not the present needs; removed snapshots are then gone. Returns the bytes freed.
    virtual Result<u64> sweep() = 0;
    // The same, but removed snapshots can still be brought back.
    virtual Result<u64> free_unneeded() = 0;
    // Removes these without a way back and frees what nothing needs then; others that were removed can still be brought back.
    virtual Result<u64> drop(const std::vector<std::string>& ids) = 0;
    // Of a machine that doesn't run: merges disks' layers that no snapshot needs apart any more, where that is worth copying
    // them. Takes as long as copying takes; ends early, with nothing lost, once `go_on` says no, and does nothing on a host's
    // disk that is nearly full. Returns the bytes freed.
    virtual u64 merge_layers(const std::function<bool()>& go_on) = 0;
};

// For machines that don't run. Waits for the host's disk.
// A snapshot of the disks alone.
Result<SnapshotInfo> take_snapshot_of_stopped(const MachineDefinition& definition, const SnapshotRequest& request);
// A machine in the empty folder `folder` that begins where the snapshot was taken: a copy of its memory, and of its disks, which
// must lie in the folder above the snapshots. A linked one has overlays on the original's disks instead, which from then on
// keeps what they need, even of deleted snapshots, until forget_links(). Returns the definition with the clone's paths;
// snapshots go to folder/snapshots.
enum class CloneKind : u8 { full, linked };
Result<MachineDefinition> clone_from_snapshot(
    const MachineDefinition& definition, const std::string& id, const std::string& folder, CloneKind kind = CloneKind::full);
// Whether linked clones were made of the machine with these snapshots, and that there are none any more.
bool has_links(const std::string& snapshots);
void forget_links(const std::string& snapshots);

// Of a trial whose machine is gone: its disks as a snapshot, where it wasn't saved and is to be kept; and its end, after which
// what no snapshot needs of it is free.
Result<SnapshotInfo> keep_trial(const MachineDefinition& definition, const SnapshotRequest& request);
Result<void> end_trial(const MachineDefinition& definition);

// Whether KVM can run an operating system here; a probe guest of a few milliseconds, cached for the process.
struct KvmVerdict {
    bool usable = false;
    std::string reason;    // in words, always filled in
};
KvmVerdict probe_kvm();

// Whether MachineDefinition::uefi can be had on this host.
bool has_uefi();

// Bytes of memory a machine may be given on this host.
u64 memory_limit();

}
