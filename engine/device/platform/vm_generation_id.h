#pragma once
// Tells a guest that time has forked: 128 bits that stay the same while the machine is switched off, reset, or closed and gone on
// from, and are others after it went back to a snapshot or was cloned. Guests then draw new random numbers, and no two
// go on with the same. Microsoft, "Virtual Machine Generation ID"; ACPI 6.4, 5.6.4.1 for the event.

#include <functional>

#include "engine/device/device.h"

namespace engine {

class VmGenerationId final : public Device, public IoHandler {
public:
    static constexpr u64 base = 0xfed20000, size = 0x1000;    // a page of its own, as the specification wants it
    static constexpr unsigned event = 5;    // general purpose

    struct State {
        u64 low = 0, high = 0;    // 0: none yet
    };

    // `changed` raises the event.
    explicit VmGenerationId(std::function<void()> changed) : changed_(std::move(changed)) { }

    // The machine's lock is held. The guest is told if it has known another.
    void set(const State& id);
    const State& id() const { return s_; }

    u64 read(u64 offset, unsigned bytes) override;
    void write(u64, u64, unsigned) override { }

    std::string_view name() const override { return "vm-generation-id"; }
    void reset() override { }
    void visit(StateVisitor& visitor) override;
    bool restored() override { return true; }

private:
    State s_;
    std::function<void()> changed_;
};

}
