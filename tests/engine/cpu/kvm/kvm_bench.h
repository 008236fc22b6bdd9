#pragma once
// A machine under /dev/kvm with 1 MiB of RAM, for real-mode programs that say what they did on ports.

#include <condition_variable>
#include <initializer_list>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "engine/cpu/kvm/kvm_machine.h"
#include "engine/cpu/x86/vcpu_x86.h"
#include "engine/device/interrupt/apic_bus.h"

namespace engine::test {

inline constexpr u16 value_port = 0x10, input_port = 0x11, stop_port = 0x20, mark_port = 0x21;
inline constexpr u64 code_at = 0x1000, handler_at = 0x2000, stack_at = 0x8000, ram_bytes = 0x100000;

// Ports 10 to 2f: remembers what is written, and answers; a write to the stop port takes the processor out.
class Ports final : public IoHandler {
public:
    std::function<void()> on_stop, on_read, on_mark;
    std::vector<u8> written;
    unsigned marks = 0, stops = 0;

    u64 read(u64, unsigned) override
    {
        if (on_read)
            on_read();
        return 0x68;
    }
    void write(u64 offset, u64 value, unsigned) override
    {
        if (offset == value_port - 0x10)
            written.push_back(u8(value));
        if (offset == mark_port - 0x10) {
            ++marks;
            if (on_mark)
                on_mark();
        }
        if (offset != stop_port - 0x10)
            return;
        ++stops;
        on_stop();
    }
};

inline std::unique_ptr<MemoryBlock> memory_block(const char* name, u64 size)
{
    auto block = MemoryBlock::create(name, size);
    return block ? std::move(*block) : nullptr;
}

// A processor at the start of the program, in real mode with everything at address 0.
inline x86::CpuState real_mode(u64 rip = code_at)
{
    x86::CpuState s;
    for (x86::Segment& segment : s.segments)
        segment = {.selector = 0, .attributes = 0x93, .limit = 0xffff, .base = 0};
    s.segments[x86::cs].attributes = 0x9b;
    s.rip = rip;
    s.gpr[4] = stack_at;
    s.apic_base = 0xfee00900;
    return s;
}

// The same in flat 32-bit protected mode without paging.
inline x86::CpuState protected_mode()
{
    x86::CpuState s = real_mode();
    for (x86::Segment& segment : s.segments)
        segment = {.selector = 16, .attributes = 0xc093, .limit = 0xffffffff, .base = 0};
    s.segments[x86::cs] = {.selector = 8, .attributes = 0xc09b, .limit = 0xffffffff, .base = 0};
    s.idtr.limit = 0;
    s.cr0 |= 1;
    return s;
}

class KvmBench : public testing::Test {
protected:
    void SetUp() override { build(1); }

    void build(unsigned count)
    {
        machine.reset();
        clock.start();
        auto built = KvmMachine::create(
            count,
            {memory, ports, clock, [this] { return acknowledge(); },
             [this](u8 vector) {
                 const std::lock_guard held(lock);
                 ended.push_back(vector);
             }});
        if (const auto device = KvmDevice::open(); !device)
            GTEST_SKIP() << device.error().text();
        ASSERT_TRUE(built) << built.error().text();
        machine = std::move(*built);
        handler.on_stop = [this] { vcpu().kick(); };
    }

    KvmVcpu& vcpu(unsigned n = 0) { return *machine->vcpus()[n]; }
    void put(u64 at, std::initializer_list<u8> bytes) { std::copy(bytes.begin(), bytes.end(), ram->data() + at); }
    // Real-mode vectors, all to the handler.
    void fill_vectors()
    {
        for (unsigned n = 0; n < 256; ++n)
            put(4 * n, {u8(handler_at), u8(handler_at >> 8), 0, 0});
    }
    void start(const x86::CpuState& state = real_mode()) { vcpu().load(state); }
    x86::CpuState state()
    {
        x86::CpuState s;
        vcpu().save(s);
        return s;
    }
    // Until the program stops or the processor fails.
    VcpuExit run()
    {
        const VcpuExit exit = vcpu().run();
        EXPECT_EQ(vcpu().failure(), "");
        return exit;
    }

    std::mutex lock;
    AddressSpace memory{&lock};
    PortSpace ports{&lock};
    VirtualClock clock;
    Ports handler;
    std::unique_ptr<MemoryBlock> ram = memory_block("RAM", ram_bytes);
    AddressSpace::RegionId ram_region = memory.add_ram("RAM", 0, ram_bytes, 0, *ram, 0);
    std::function<u8()> acknowledge = [] { return u8(0); };
    std::vector<u8> ended;
    std::unique_ptr<KvmMachine> machine;

    KvmBench() { ports.claim(0x10, 0x20, handler); }
};

// With the interpreter beside it, on the same memory.
class KvmBesideInterpreter : public KvmBench {
protected:
    DeadlineQueue deadlines{clock};
    x86::CpuModel model;
    ApicBus bus;
    Lapic lapic{deadlines, {.bootstrap = true, .tsc = [this] { return clock.now(); }}};
    std::unique_ptr<Vcpu> interpreter
        = make_interpreter_vcpu({memory, ports, lapic, {.tsc = [this] { return clock.now(); }}, model, make_rendezvous(), 0});
};

}
