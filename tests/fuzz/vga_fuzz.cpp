// Random port, register and memory writes, then a picture.

#include <cstddef>
#include <cstring>

#include "engine/device/display/std_vga.h"

using namespace engine;

namespace {
class Bytes {
public:
    Bytes(const u8* data, std::size_t size) : at_(data), end_(data + size) { }
    bool empty() const { return at_ == end_; }
    u8 byte() { return empty() ? u8(0) : *at_++; }
    u32 word() { return u32(byte() | byte() << 8); }
    u32 long_word() { return word() | word() << 16; }

private:
    const u8* at_;
    const u8* end_;
};

struct Machine {
    ManualClock clock;
    AddressSpace memory;
    PortSpace ports;
    ImmediateRounds rounds;
    FrameMailbox mailbox;
    std::unique_ptr<MemoryBlock> video_memory;
    StdVga vga;

    explicit Machine(u64 size)
        : video_memory(std::move(*MemoryBlock::create("video memory", size))),
          vga({memory, ports}, {.video_memory = *video_memory, .clock = clock, .dirty_rounds = rounds, .mailbox = mailbox})
    {
        vga.write_config(0x10, 0xe0000000, 4);
        vga.write_config(0x18, 0xf0000000, 4);
        vga.write_config(4, 3, 2);
        ports.write(0x3c2, 0xe3, 1);
    }

    void step(Bytes& in)
    {
        const u8 action = in.byte();
        const unsigned size = 1u << (action >> 3 & 1);
        switch (action & 7) {
        case 0:
            ports.write(u16(0x3b0 + in.byte() % 0x30), in.word(), size);
            break;
        case 1:
            ports.read(u16(0x3b0 + in.byte() % 0x30), size);
            break;
        case 2:
            ports.write(0x1ce, in.byte() % 16, 2);
            ports.write(0x1cf, in.word(), 2);
            break;
        case 3:
            memory.write(0xa0000 + in.long_word() % 0x20000, in.long_word(), size * 4);
            break;
        case 4:
            memory.read(0xa0000 + in.long_word() % 0x20000, size * 4);
            break;
        case 5:
            memory.write(0xf0000000 + in.word() % 0x1000, in.long_word(), size);
            break;
        case 6:
            clock.advance(u64(in.word()) * 10000);
            vga.refresh();
            break;
        default:
            // An index and its value at once, which chance would rarely hit.
            const u16 port = std::array<u16, 4>{0x3c4, 0x3ce, 0x3d4, 0x3c0}[in.byte() & 3];
            ports.write(port, in.byte(), 1);
            ports.write(port == 0x3c0 ? port : u16(port + 1), in.byte(), 1);
            break;
        }
    }
};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    Bytes in(data, size);
    Machine machine(in.byte() & 1 ? 1 << 20 : 256 << 10);
    while (!in.empty())
        machine.step(in);
    machine.ports.write(0x3c0, 0x20, 1);
    machine.vga.refresh();
    machine.vga.text_mode_text();
    if (const auto frame = machine.mailbox.latest(); frame && frame->pixels.size() < 50'000)
        read_glyphs(*frame, machine.vga.fonts());
    return 0;
}
