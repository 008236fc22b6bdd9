// Keyboard controller, keyboard, mouse, serial port and test device under whatever a guest and an eager host may do.

#include "engine/device/input/i8042.h"
#include "engine/device/input/ps2_keyboard.h"
#include "engine/device/input/ps2_mouse.h"
#include "engine/device/platform/test_device.h"
#include "engine/device/serial/uart16550.h"
#include "engine/state/state_map.h"

using namespace engine;

namespace {
struct Bench {
    ManualClock clock;
    DeadlineQueue deadlines{clock};
    PortSpace ports;
    AddressSpace memory;
    IrqLine irq1, irq4, irq12;
    Ps2Keyboard keyboard;
    Ps2Mouse mouse;
    I8042 controller{deadlines, {irq1, irq12, keyboard, mouse, {}, {}}};
    Uart16550 uart{"uart.0", deadlines, irq4, {}};
    TestDevice test{{}};

    Bench()
    {
        controller.claim(ports);
        uart.claim(ports, 0x3f8);
        test.claim(ports, memory, 1);
    }
    void step(u8 what, u8 a, u8 b)
    {
        constexpr u16 places[]{0x60, 0x64, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0xe0, 0xe8, 0xf4, 0x2000, 0x2010};
        const u16 port = places[a % std::size(places)];
        switch (what % 8) {
        case 0:
        case 1:
            return ports.write(port, b, 1);
        case 2:
            return ports.write(port, u32(b) << 24 | a, 4);
        case 3:
            ports.read(port, 1u << (b & 1));
            return;
        case 4:
            return keyboard.key(u16(b & 1 ? 0xe000 | a : b & 2 ? 0xe11d : a), b & 4);
        case 5:
            return mouse.move(i8(a) * 100, i8(b) * 100, i8(a), b);
        case 6:
            uart.receive({&a, 1});
            return;
        default:
            clock.advance(u64(a) * 10'000);
            deadlines.run_due();
        }
    }
};
}

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size)
{
    Bench bench;
    for (; size >= 3; data += 3, size -= 3)
        bench.step(data[0], data[1], data[2]);
    return 0;
}
