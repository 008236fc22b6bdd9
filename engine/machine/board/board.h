#pragma once
// A board as the machine sees it: processors, what a person can touch, and its power-on state. A file a board in this
// folder is its parts list.

#include <span>

#include "engine/block/disk_image.h"
#include "engine/cpu/vcpu.h"
#include "engine/device/device.h"
#include "engine/engine.h"
#include "engine/memory/memory_block.h"
#include "engine/state/state_map.h"

namespace engine {

// What a board asks of the machine around it. Any thread, with the machine's lock held; takes effect a little later, and
// keeps the vCPUs from going on in the meantime.
class BoardHost {
public:
    virtual ~BoardHost() = default;
    virtual void request_reset() = 0;
    virtual void request_stop(const StopReason& reason) = 0;
    // As if the person had paused it; for what the host can't carry out now.
    virtual void request_pause() = 0;
    // Runs `work` with every vCPU out of the guest: their states may be read and changed.
    virtual void request_quiet(std::function<void()> work) = 0;
};

// 128 random bits; see vm_generation_id.h.
struct GenerationId {
    u64 low = 0, high = 0;
};

using DeviceStates = std::map<std::string, StateMap>;    // by device

// Called with the machine's lock held unless it says otherwise.
class Board {
public:
    virtual ~Board() = default;

    // Constant. No lock.
    virtual std::vector<Vcpu*> vcpus() = 0;

    // Power-on state of every part; no vCPU is in the guest. The first one runs the firmware next.
    virtual void reset() = 0;
    // How far the guest's last reset was meant: a guest that set a shutdown code wants to come back.
    virtual bool reset_is_a_detour() { return false; }
    // The machine ends: hand out what waits to be given to the listener.
    virtual void flush() { }
    // The machine runs now, or stands still.
    virtual void running(bool) { }

    // Snapshots: no vCPU is in the guest, and the clock stands still.
    // The memory whose content a snapshot holds; constant, no lock.
    virtual std::vector<MemoryBlock*> memories() { return {}; }
    virtual std::vector<DiskImage*> disks() { return {}; }    // as the definition lists them; constant, no lock
    // Memory that is read otherwise than by the guest: brought in at once.
    virtual std::vector<MemoryBlock*> memories_at_hand() { return {}; }
    // The vCPUs ask again before they write to memory.
    virtual void forget_writable() { }
    // Whether memory knows of each write before it happens. Under KVM it does not, but collect_writes() tells of those since
    // it was called last (MemoryBlock::note_written); the first call only begins to log them. Any state of the vCPUs.
    virtual bool tells_of_writes() { return true; }
    virtual void collect_writes() { }
    // What a snapshot must agree with to be loaded into this board: numbers are compared, words are for people.
    virtual StateMap description() { return {}; }
    virtual DeviceStates save() { return {}; }
    // Power-on state, then this one. Empty, or the name of a part that can't exist as it is described; then the state is
    // half loaded.
    virtual std::string load(const DeviceStates&) { return "board"; }
    // What the firmware remembers, of a snapshot that holds no more of the machine than that and its disks.
    virtual void load_variables(std::span<const u8>) { }
    // What was loaded counts: the machine's own files follow it from now on.
    virtual void loaded() { }

    // Which branch of the machine's life this is; the guest is told if it has known another.
    virtual void set_generation(const GenerationId&) { }

    virtual void press_power_button() = 0;
    virtual void key(u16 code, bool down) = 0;
    virtual void pointer(int dx, int dy, int wheel, u8 buttons) = 0;
    virtual void serial_input(std::string_view bytes) = 0;

    // No lock.
    virtual std::shared_ptr<const Frame> frame() const = 0;
    virtual ScreenText screen_text() = 0;

    // Called without the lock, on the owner's thread: opens the image first and takes the lock to insert it.
    virtual Result<void> change_cdrom(const std::string& path) = 0;
    virtual Result<void> change_floppy(const std::string& path) = 0;
};

}
