#pragma once
// What test programs talk to: a port that ends the machine with an exit code, a console of single bytes, and the
// registers that kvm-unit-tests expect of the "pc-testdev" (their lib/x86 and x86/ programs).

#include <functional>
#include <string>

#include "engine/device/device.h"
#include "engine/memory/address_space.h"
#include "engine/memory/port_space.h"
#include "engine/time/deadline_queue.h"

namespace engine {

// Ports 402 and e9: bytes written appear as the machine's debug output; a read answers e9, which tells SeaBIOS that
// somebody listens.
class DebugConsole final : public IoHandler {
public:
    // Whole lines where possible. Machine's lock held.
    using Output = std::function<void(std::string_view bytes)>;

    DebugConsole(DeadlineQueue& deadlines, Output output)
        : output_(std::move(output)),
          deadlines_(deadlines),
          flush_timer_(deadlines, [this] { flush(); })
    {
    }
    void claim(PortSpace& space);
    void flush();

    u64 read(u64, unsigned) override { return 0xe9; }
    void write(u64, u64 value, unsigned) override;

private:
    Output output_;
    DeadlineQueue& deadlines_;
    Timer flush_timer_;
    std::string unsent_;
};

class TestDevice final : public Device {
public:
    // Callbacks with the machine's lock held.
    struct Wires {
        std::function<void(int code)> exit;    // the process's exit code
        std::function<void(unsigned gsi, bool level)> set_interrupt;    // 0 to 23
    };
    static constexpr u64 memory_base = 0xff000000;
    static constexpr u32 memory_size = 0x10000;

    explicit TestDevice(Wires wires) : wires_(std::move(wires)) { }
    // Ports f4 (exit), e0-e3 and e8-eb (storage), e4-e7 (flush), 2000-2017 (interrupt inputs); memory at ff000000.
    void claim(PortSpace& ports, AddressSpace& memory, int priority);

    std::string_view name() const override { return "test"; }
    void reset() override;
    void visit(StateVisitor& v) override;
    bool restored() override;

private:
    static constexpr unsigned inputs = 24;
    struct State {
        std::array<u8, 4> storage{};    // one register, reached as bytes, words or a double word
        std::array<u8, 4> byte_storage{};
        u32 interrupts = 0;
        std::array<u8, memory_size> memory{};
    };
    // A window on bytes, whatever the width of the access.
    struct Bytes : IoHandler {
        std::span<u8> bytes;
        explicit Bytes(std::span<u8> window) : bytes(window) { }
        u64 read(u64 offset, unsigned size) override;
        void write(u64 offset, u64 value, unsigned size) override;
    };
    struct Exit : IoHandler {
        TestDevice& owner;
        explicit Exit(TestDevice& device) : owner(device) { }
        u64 read(u64, unsigned) override { return 0; }
        void write(u64 offset, u64 value, unsigned size) override;
    };
    // The flush port asks the host to unmap and map guest memory again: nothing that a guest can see.
    struct Flush : IoHandler {
        u64 read(u64, unsigned) override { return 0; }
        void write(u64, u64, unsigned) override { }
    };
    struct Interrupts : IoHandler {
        TestDevice& owner;
        explicit Interrupts(TestDevice& device) : owner(device) { }
        u64 read(u64, unsigned) override { return 0; }
        void write(u64 offset, u64 value, unsigned size) override;
    };

    State s_;
    Wires wires_;
    Bytes storage_{s_.storage}, byte_storage_{s_.byte_storage}, memory_{s_.memory};
    Exit exit_{*this};
    Flush flush_;
    Interrupts interrupts_{*this};
};

}
