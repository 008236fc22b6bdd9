#pragma once
// The PC/AT's two 8237A DMA controllers and their page registers. Intel 8237A data sheet; ISA ports as in the 82371SB
// (PIIX3) data sheet, section 2.5.1. Channels 0-3 move bytes, 5-7 move 16-bit words, 4 cascades the first controller.
//
// A transfer is instant and belongs to the device: it calls transfer_* when it has data (its DREQ), and gets as many bytes
// moved as the guest's programming allows. All methods run with the machine's lock held.
// Not modelled: memory-to-memory transfers, priority, compressed timing, and the EISA high page registers (addresses have
// 24 bits).

#include <array>
#include <functional>
#include <span>

#include "engine/device/device.h"
#include "engine/device/io_window.h"
#include "engine/memory/address_space.h"
#include "engine/memory/port_space.h"

namespace engine {

class I8237Pair final : public Device {
public:
    struct Controller {
        std::array<u16, 4> base_address{};
        std::array<u16, 4> base_count{};
        std::array<u16, 4> current_address{};
        std::array<u16, 4> current_count{};
        std::array<u8, 4> mode{};
        u8 command = 0;
        u8 mask = 0x0f;
        u8 request = 0;    // software requests
        u8 reached = 0;    // TC bits of the status register
        u8 high_byte = 0;    // first/last flip-flop

        void visit(StateVisitor& visitor);
    };
    struct State {
        std::array<Controller, 2> controllers{};
        std::array<u8, 16> pages{};    // ports 80-8f
        u8 hardware_requests = 0;    // DREQ, a bit a channel
        u8 terminal_counts = 0;    // TC on the channel's last transfer
    };

    explicit I8237Pair(AddressSpace& memory);

    // Ports 00-0f, 81-8f and c0-df.
    void claim(PortSpace& ports);

    // For the device on `channel` (0-3, 5-7). Moves bytes until the span or the channel's count is exhausted and returns how
    // many: 0 while the channel is masked, disabled or set to the other direction. Word channels leave an odd last byte.
    // In a verify transfer the bytes are counted but go nowhere (and arrive as ff).
    u32 transfer_to_memory(unsigned channel, std::span<const u8> bytes);
    u32 transfer_from_memory(unsigned channel, std::span<u8> bytes);
    // The TC signal: whether the channel's last transfer_* reached the end of its count. With auto-initialise the channel
    // is ready again, and the device may go on with another call.
    bool terminal_count(unsigned channel) const { return channel < 8 && s_.terminal_counts >> channel & 1; }

    // DREQ, for the status register; a transfer needs no request.
    void set_request(unsigned channel, bool level);
    // Would a transfer move anything but for its direction?
    bool ready(unsigned channel) const;
    // `listener` hears when the guest's programming has made the channel ready. It may transfer at once.
    void on_ready(unsigned channel, std::function<void()> listener);

    std::string_view name() const override { return "dma"; }
    void reset() override { s_ = {}; }
    void visit(StateVisitor& visitor) override;
    bool restored() override;

private:
    enum class Direction : u8 { to_memory, from_memory };

    u8 read_first(u64 offset) { return read_register(0, unsigned(offset)); }
    void write_first(u64 offset, u8 value) { write_register(0, unsigned(offset), value); }
    u8 read_second(u64 offset) { return read_register(1, unsigned(offset >> 1)); }
    void write_second(u64 offset, u8 value) { write_register(1, unsigned(offset >> 1), value); }
    u8 read_page(u64 offset) { return s_.pages[(offset + 1) & 15]; }
    void write_page(u64 offset, u8 value) { s_.pages[(offset + 1) & 15] = value; }

    u8 read_register(unsigned which, unsigned index);
    void write_register(unsigned which, unsigned index, u8 value);
    void write_channel(Controller& controller, unsigned index, u8 value);
    void write_control(Controller& controller, unsigned index, u8 value);
    u8 read_status(unsigned which);
    void announce_ready(u8 before);
    u8 ready_channels() const;
    bool allowed(unsigned channel, Direction direction) const;
    u32 advance(unsigned channel, u32 units);
    template <class Byte, class Move> u32 transfer(unsigned channel, std::span<Byte> bytes, Move move);

    State s_;
    AddressSpace& memory_;
    std::array<std::function<void()>, 8> listeners_;
    IoWindow<I8237Pair> first_, second_, page_;
};

}
