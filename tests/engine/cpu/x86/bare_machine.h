#pragma once
// A bare machine for tests of whole programs: RAM from 0 to 2 MiB and the local APIC, from reset in real mode.

#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>

#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/insn.h"
#include "engine/cpu/x86/vcpu_x86.h"

namespace engine {

// Writing to port 80h ends the run.
struct StopPort : IoHandler {
    Vcpu* vcpu = nullptr;
    u64 value = 0;
    u64 read(u64, unsigned) override { return 0xff; }
    void write(u64, u64 v, unsigned) override
    {
        value = v;
        vcpu->kick();
    }
};

struct BareMachine {
    using MakeTier = decltype(InterpreterParts::make_tier);
    explicit BareMachine(MakeTier make_tier = {})
        : vcpu(make_interpreter_vcpu(
            {memory,
             ports,
             lapic,
             {.acknowledge_interrupt = [] { return u8(0x20); },
              .ferr = {},
              .tsc =
                  [this] {
                      if (at_tsc)
                          at_tsc();
                      return clock.now();
                  },
              .entropy = [this] { return entropy; }},
             model,
             make_rendezvous(),
             0,
             std::move(make_tier)}))
    {
        memory.add_ram("ram", 0, ram->size(), 0, *ram, 0);
        ports.claim(0x80, 1, stop);
        stop.vcpu = vcpu.get();
        vcpu->save(state);
        state.segments[x86::cs] = {.selector = 0, .attributes = 0x9b, .limit = 0xffff, .base = 0};
        state.rip = 0x1000;
        state.gpr[x86::rsp] = 0x8000;
    }

    // 32-bit protected mode, every segment flat.
    void begin_flat_32()
    {
        constexpr u64 protected_with_native_fpu_errors = 0x21;
        state.cr0 = protected_with_native_fpu_errors;
        for (x86::Segment& segment : state.segments)
            segment = {.selector = 8, .attributes = 0xc093, .limit = 0xffffffff, .base = 0};
        state.segments[x86::cs].attributes = 0xc09b;
    }
    void place(u64 at, std::initializer_list<u8> bytes) { std::memcpy(ram->data() + at, bytes.begin(), bytes.size()); }
    u8* at(u64 address) { return ram->data() + address; }
    // Ends programs: OUT 80h, AL and HLT.
    VcpuExit run()
    {
        vcpu->load(state);
        const VcpuExit exit = vcpu->run();
        vcpu->save(state);
        return exit;
    }

    std::unique_ptr<MemoryBlock> ram = std::move(*MemoryBlock::create("ram", 2 << 20));
    ManualClock clock;
    DeadlineQueue deadlines{clock};
    AddressSpace memory;
    PortSpace ports;
    StopPort stop;
    Lapic lapic{deadlines, {.id = 0, .bootstrap = true}};
    x86::CpuModel model{.features = x86::most_features()};
    std::optional<u64> entropy;    // what RDRAND gets
    std::function<void()> at_tsc;    // called by RDTSC
    std::unique_ptr<Vcpu> vcpu;
    x86::CpuState state;
};

}
