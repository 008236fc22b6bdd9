// Random code and state on the interpreter or, from the first time it runs, translated, in every mode; nothing may harm the
// host process.

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "engine/base/bits.h"
#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/vcpu_x86.h"
#include "engine/translator/x86_tier.h"

using namespace engine;

namespace {

using MakeTier = std::function<std::unique_ptr<x86::HostCodeTier>(x86::Cpu&)>;

constexpr u64 ram_size = 1 << 20;

struct NoPort : IoHandler {
    u64 read(u64, unsigned) override { return 0x5a; }
    void write(u64, u64, unsigned) override { }
};

struct Guest {
    Guest()
    {
        memory.add_ram("ram", 0, ram_size, 0, *ram, 0);
        ports.claim(0, 0x10000, port, 4);
    }
    std::unique_ptr<MemoryBlock> ram = std::move(*MemoryBlock::create("ram", ram_size));
    ManualClock clock;
    DeadlineQueue deadlines{clock};
    AddressSpace memory;
    PortSpace ports;
    NoPort port;
    Lapic lapic{deadlines, {.id = 0, .bootstrap = true, .tsc = {}}};
    x86::CpuModel model{.features = x86::most_features()};
};

// A GDT with segments of all kinds, an IDT full of gates, page tables that map the first MiB onto itself with holes.
void lay_tables(u8* ram, u8 variety)
{
    for (unsigned n = 0; n < 512; ++n)
        store_le<u64>(ram + 0x10000 + 8 * n, 0x00cf92000000ffff ^ u64(n * variety) << 40);
    for (unsigned n = 0; n < 256; ++n) {
        store_le<u64>(ram + 0x12000 + 16 * n, 0x00008e0000080000 | u64(n) << 4 | 0x4000);
        store_le<u64>(ram + 0x12000 + 16 * n + 8, 0);
    }
    store_le<u64>(ram + 0x20000, 0x21007);
    store_le<u64>(ram + 0x21000, 0x22007);
    store_le<u64>(ram + 0x22000, 0x23007);
    for (unsigned n = 0; n < 256; ++n)
        store_le<u64>(ram + 0x23000 + 8 * n, u64(n % 3) << 59 | u64(n) << 12 | (n % 17 == variety % 17 ? 0 : 7));
    for (unsigned n = 0; n < 1024; ++n)
        store_le<u32>(ram + 0x24000 + 4 * n, 0x25007);
    for (unsigned n = 0; n < 1024; ++n)
        store_le<u32>(ram + 0x25000 + 4 * n, (n & 0xff) << 12 | 7);
}

void choose_mode(x86::CpuState& s, u8 mode)
{
    constexpr u16 data = 0xc093, code_32 = 0xc09b, code_64 = 0xa09b, code_16 = 0x009b;
    const unsigned kind = mode & 3;
    const u16 dpl = u16(mode & 4 ? 0x60 : 0);
    for (auto& segment : s.segments)
        segment = {.selector = u16(8 | (dpl ? 3 : 0)), .attributes = u16(data | dpl), .limit = 0xffffffff, .base = 0};
    s.gdtr = {.base = 0x10000, .limit = 0xfff};
    s.idtr = {.base = 0x12000, .limit = 0xfff};
    s.cr4 = 0x600;
    s.cr0 = kind == 0 ? 0x10 : 0x11;
    s.segments[x86::cs].attributes = u16((kind == 0 ? code_16 : kind == 3 ? code_64 : code_32) | (kind ? dpl : 0));
    if (kind == 0)
        for (auto& segment : s.segments)
            segment.limit = 0xffff;
    if (kind == 2) {
        s.cr0 |= 0x80000000;
        s.cr3 = 0x24000;
    }
    if (kind == 3) {
        s.cr0 |= 0x80000000;
        s.cr3 = 0x20000;
        s.cr4 |= 0x20;
        s.efer = 0x501;
    }
    if (mode & 8 && kind == 2)
        s.rflags |= 0x20000;
    // x87 and AVX as operating systems have them.
    if (mode & 0x20) {
        constexpr u64 pge_and_osxsave = 0x40080;
        s.cr4 |= pge_and_osxsave;
        s.xcr0 = 7;
        s.fpu.control = 0x37f;
    }
    constexpr u64 pcide = 0x20000;
    if (mode & 0x40 && kind == 3)
        s.cr4 |= pcide;
    // Alignment checks, and protection keys of which one may not be written.
    constexpr u64 alignment_mask = 0x40000, pke = 0x400000;
    if (mode & 0x80) {
        s.cr0 |= alignment_mask;
        s.rflags |= x86::flag_ac;
        s.pkru = 0x20;
        s.cr4 |= kind == 3 ? pke : 0;
    }
}

}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size < 20)
        return 0;
    Guest guest;
    const bool translated = data[0] & 0x10, with_windows = data[1] & 0x80;
    auto vcpu = make_interpreter_vcpu(
        {guest.memory,
         guest.ports,
         guest.lapic,
         {.acknowledge_interrupt = [] { return u8(0x21); },
          .ferr = [](bool) {},
          .tsc = [] { return u64(1); },
          .entropy = [] { return std::optional<u64>(5); }},
         guest.model,
         make_rendezvous(),
         0,
         translated ? MakeTier([&](x86::Cpu& c) {
             return translator::make_x86_tier(c, {.hot = 1, .code_budget = 1 << 20, .busy_at_once = with_windows});
         })
                    : nullptr});
    lay_tables(guest.ram->data(), data[1]);
    x86::CpuState state;
    vcpu->save(state);
    choose_mode(state, data[0]);
    for (unsigned n = 0; n < 16; ++n)
        state.gpr[n] = u64(data[2 + n]) << (n % 3 * 6) | (data[2 + n] & 0x80 ? ~u64(0xfffff) : 0);
    state.rip = 0x4000;
    std::memcpy(guest.ram->data() + 0x4000, data + 18, std::min<size_t>(size - 18, 0x1000));
    vcpu->load(state);
    // Loops and HLT go on until somebody asks.
    std::thread alarm([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        vcpu->kick();
    });
    vcpu->run();
    alarm.join();
    return 0;
}
