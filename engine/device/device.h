#pragma once
// What every device is. A device knows its bus interface, its wires and nothing else.

#include <string_view>

#include "engine/base/types.h"
#include "engine/state/state_visitor.h"

namespace engine {

// Registers on a bus. Called with the machine's lock held, from the thread of a vCPU or from the machine thread.
// `offset` counts from the start of the claimed range; `size` is 1, 2, 4 or 8 and never above the width claimed.
// Must not fail for any offset, size or value: unknown registers read as all ones and ignore writes.
class IoHandler {
public:
    virtual ~IoHandler() = default;
    virtual u64 read(u64 offset, unsigned size) = 0;
    virtual void write(u64 offset, u64 value, unsigned size) = 0;
};

// Life cycle. All are called with the machine's lock held.
class Device {
public:
    virtual ~Device() = default;

    // Unique within a machine: "uart.0", "ide.1".
    virtual std::string_view name() const = 0;
    // Power-on state; requests in flight are cancelled and never complete.
    virtual void reset() = 0;
    // Walks the guest-visible state.
    virtual void visit(StateVisitor& visitor) = 0;
    // After a load: rebuilds what follows from the state (lines, timers); false if no such device can exist.
    virtual bool restored() = 0;
};

}
