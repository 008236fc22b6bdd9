// A guest that writes anything to the interrupt controllers, timers and the DMA controller, in any order and at any time.
#include <array>
#include <memory>

#include "engine/device/interrupt/apic_bus.h"
#include "engine/device/interrupt/i8259.h"
#include "engine/device/interrupt/ioapic.h"
#include "engine/device/isa/i8237.h"
#include "engine/device/platform/hpet.h"
#include "engine/device/platform/i8254.h"
#include "engine/device/platform/mc146818.h"
#include "engine/device/platform/reset_control.h"
#include "engine/device/platform/system_control.h"
#include "engine/state/state_map.h"

using namespace engine;

namespace {
class Board {
public:
    Board()
    {
        memory.add_ram("ram", 0, ram().size(), 0, ram(), 0);
        for (unsigned n = 0; n < 2; ++n) {
            Lapic::Configuration c;
            c.id = n;
            c.bootstrap = n == 0;
            c.tsc = [this] { return clock.now(); };
            apics.push_back(std::make_unique<Lapic>(queue, c));
            bus.add(*apics.back());
        }
        bus.on_eoi = [this](u8 vector) { ioapic.end_of_interrupt(vector); };
        pic.intr().connect([this](bool level) { apics[0]->set_lint0(level); });
        pit.claim(ports), pic.claim(ports), rtc.claim(ports), dma.claim(ports), port61.claim(ports), resets.claim(ports);
    }

    void step(const u8* bytes)
    {
        u64 value = 0;
        u32 where = u32(bytes[1] | bytes[2] << 8);
        for (int n = 0; n < 8; ++n)
            value |= u64(bytes[3 + n]) << (8 * n);
        const unsigned size = 1u << (bytes[0] >> 6);
        Lapic& apic = *apics[bytes[2] & 1];
        switch (bytes[0] & 15) {
        case 0:
            ports.write(u16(where & 0x7ff), u32(value), size > 4 ? 4 : size);
            break;
        case 1:
            ports.read(u16(where & 0x7ff), size > 4 ? 4 : size);
            break;
        case 2:
            apic.write(where & 0xff0, value, size);
            break;
        case 3:
            apic.read(where & 0xfff, size);
            break;
        case 4:
            apic.write_msr(where & 0x100 ? 0x800 + (where & 0x3f) : where & 0x200 ? 0x1b : 0x6e0, value);
            break;
        case 5:
            apic.read_msr(0x800 + (where & 0x3f), value);
            break;
        case 6:
            hpet.write(where & 0x3ff & ~u64(size - 1), value, size);
            break;
        case 7:
            hpet.read(where & 0x3ff & ~u64(size - 1), size);
            break;
        case 8:
            ioapic.write(0, where & 0x3f, 4), ioapic.write(0x10, value, 4);
            break;
        case 9:
            ioapic.set_pin(where & 31, value & 1), pic.irq(where & 15).set(value & 1);
            break;
        case 10:
            pic.acknowledge(), apic.accept(), apic.set_cr8(u8(value)), apic.set_lint1(value & 1);
            break;
        case 11:
            clock.advance(value % 4'000'000'000), queue.run_due();
            break;
        case 12:
            clock.advance(value % 1'000'000), queue.run_due();
            break;
        case 13:
            transfer(where & 15, size);
            break;
        case 14:
            bus.deliver_msi(0xfee00000 | (where & 0xffff) << 4, u32(value));
            break;
        default:
            restore(value);
        }
    }

private:
    static MemoryBlock& ram()
    {
        static const auto block = std::move(*MemoryBlock::create("ram", 0x20000));
        return *block;
    }
    void transfer(unsigned channel, unsigned size)
    {
        static std::array<u8, 0x20000> bytes;
        dma.transfer_to_memory(channel, std::span(bytes).first(size * 0x4000));
        dma.transfer_from_memory(channel, std::span(bytes).first(size * 0x4000));
    }
    // A snapshot in which one field was tampered with.
    void restore(u64 value)
    {
        const std::array<Device*, 8> devices{&pic, &ioapic, &pit, &rtc, &hpet, &dma, apics[0].get(), &resets};
        Device& device = *devices[value % devices.size()];
        StateSaver good;
        device.visit(good);
        StateMap map = good.map;
        std::size_t which = (value >> 3) % (map.scalars.size() + 1);
        for (auto& [name, field] : map.scalars)
            if (which-- == 0)
                field = value >> 9;
        StateLoader loader(map);
        device.visit(loader);
        if (device.restored())
            return;
        StateLoader back(good.map);
        device.visit(back);
        device.restored();
    }

    ManualClock clock;
    DeadlineQueue queue{clock};
    AddressSpace memory;
    PortSpace ports;
    ApicBus bus;
    std::vector<std::unique_ptr<Lapic>> apics;
    IoApic ioapic{[this](const InterruptMessage& m) { return bus.deliver(m); }};
    I8259Pair pic;
    I8254 pit{queue, pic.irq(0)};
    Mc146818 rtc{queue, pic.irq(8), 1'700'000'000};
    IrqLine hpet0, hpet8;
    Hpet hpet{queue, {[this](unsigned pin, bool level) { ioapic.set_pin(pin, level); }, hpet0, hpet8, {}}};
    I8237Pair dma{memory};
    SystemControlPort port61{{clock, [this](bool on) { pit.set_gate(2, on); }, [this] { return pit.out(2); }, {}}};
    ResetControl resets{{}};
};
}

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size)
{
    constexpr std::size_t step_size = 11;
    Board board;
    for (; size >= step_size; data += step_size, size -= step_size)
        board.step(data);
    return 0;
}
