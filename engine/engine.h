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
#include "engine/base/types.h"
#include "engine/device/display/frame.h"

namespace engine {

enum class Accelerator : u8 { automatic, kvm, translator, interpreter };

struct MachineDefinition {
    std::string name = "machine";
    u64 memory_mib = 1024;    // 1 to 1048576, within what the host can give
    unsigned cpus = 1;    // 1 to 32
    Accelerator accelerator = Accelerator::automatic;

    std::vector<std::string> disks;    // images, IDE order; at most 2 beside the optical drive, 3 in all with it
    std::vector<std::string> disk_formats;    // of each disk: "raw", "qcow2" …; "" or missing: its file's name says it
    std::vector<std::string> image_folders;    // from which images below a disk's may come, beside its own folder
    std::string cdrom;    // ISO image, empty drive where ""; the drive is always there
    std::string floppy;    // raw floppy image, "" for an empty drive
    std::string kernel, initrd, append;    // direct boot: a Linux bzImage or a Multiboot ELF
    std::string boot_order;    // letters as in "dca": d optical, c disk, a floppy; "" chooses what is there

    enum class Serial : u8 { none, callback, file } serial = Serial::callback;
    std::string serial_file;
    bool test_device = false;    // isa-debug-exit at 0xf4, debug console, pc-testdev
    std::string firmware;    // a BIOS image, or the directory of one and a VGA BIOS; "" is Debian's seabios package
};

enum class MachineState : u8 { created, running, paused, stopped };

// Why a machine stopped.
struct StopReason {
    enum class Kind : u8 { powered_off, guest_exit, crashed, host_request } kind = Kind::powered_off;
    int exit_code = 0;    // guest_exit: what the test device was told, as the process's exit code
    std::string text;    // crashed: what happened, for a person
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
};

struct MachineStats {
    u64 instructions = 0;    // of all vCPUs, 0 where unknown
    u64 guest_nanoseconds = 0;
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
};

// Whether KVM can run an operating system here; a probe guest of a few milliseconds, cached for the process.
struct KvmVerdict {
    bool usable = false;
    std::string reason;    // in words, always filled in
};
KvmVerdict probe_kvm();

// Bytes of memory a machine may be given on this host.
u64 memory_limit();

}
