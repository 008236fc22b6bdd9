#pragma once
// One virtual processor, run by a thread of its own. Implemented on /dev/kvm and by Paddock's own engine.

#include <functional>
#include <optional>
#include <string>

#include "engine/base/translation.h"
#include "engine/base/types.h"
#include "engine/cpu/x86/state.h"

namespace engine {

enum class VcpuExit : u8 {
    kicked,    // kick() was called: look at commands, then run again
    shutdown,    // triple fault
    failed,    // the back end cannot go on; failure() says why
};

class Vcpu {
public:
    virtual ~Vcpu() = default;

    // The vCPU's own thread. Runs guest code (and waits in HLT) until something needs the caller.
    virtual VcpuExit run() = 0;
    // Any thread. Makes run() return soon; a kick before run() makes the next run() return at once.
    virtual void kick() = 0;

    // While not in run(). The canonical state, the same for every back end.
    virtual void save(x86::CpuState& to) = 0;
    virtual void load(const x86::CpuState& from) = 0;
    virtual void reset() = 0;

    // Any thread: the 8259's INTR line (to LINT0 of the boot processor), NMI.
    virtual void set_intr(bool level) = 0;
    virtual void raise_nmi() = 0;
    virtual void raise_smi() = 0;

    virtual std::string failure() const = 0;
    // Instructions executed so far, 0 where the back end cannot tell. Any thread.
    virtual u64 instructions() const = 0;
    virtual TranslatorCounts translator_counts() const { return {}; }
    // What host code runs a linear address now, if any does. While the vCPU is held.
    virtual std::optional<TranslatedBlock> translation_of(u64) { return {}; }
};

// What a vCPU needs of the board around it.
struct VcpuWires {
    // The 8259 pair's acknowledge cycle: the vector to take. Called on the vCPU's thread; takes the machine's lock itself.
    std::function<u8()> acknowledge_interrupt;
    // FERR#: the x87 unmasked-error line (IRQ 13 when CR0.NE is clear).
    std::function<void(bool level)> ferr;
    std::function<u64()> tsc;    // virtual time stamp, any thread
    // Random bits for RDRAND and RDSEED, empty when there are none now. Called on the vCPU's thread.
    std::function<std::optional<u64>()> entropy;
};

}
