#include "engine/device/isa/i8237.h"

#include <algorithm>

namespace engine {

namespace {
// Registers behind the channels' addresses and counts (8237A, "Software commands", figure 6)
enum Register : unsigned {
    reg_status_command = 8,
    reg_request,
    reg_single_mask,
    reg_mode,
    reg_clear_flip_flop,
    reg_master_clear,
    reg_clear_mask,
    reg_all_mask
};
// Command
constexpr u8 command_disable = 0x04;
// Mode
constexpr u8 mode_transfer = 0x0c, mode_verify = 0x00, mode_write = 0x04, mode_read = 0x08;
constexpr u8 mode_auto_initialise = 0x10, mode_decrement = 0x20, mode_select = 0xc0, mode_cascade = 0xc0;
// Where the AT's page registers stand, by channel, counted from port 80. Channel 4 never drives an address.
constexpr std::array<u8, 8> page_of{0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa};
constexpr unsigned cascade_channel = 4;
}

I8237Pair::I8237Pair(AddressSpace& memory)
    : memory_(memory),
      first_(*this, &I8237Pair::read_first, &I8237Pair::write_first),
      second_(*this, &I8237Pair::read_second, &I8237Pair::write_second),
      page_(*this, &I8237Pair::read_page, &I8237Pair::write_page)
{
}

void I8237Pair::claim(PortSpace& ports)
{
    ports.claim(0x00, 16, first_);
    ports.claim(0x81, 15, page_);
    ports.claim(0xc0, 32, second_);
}

u8 I8237Pair::read_register(unsigned which, unsigned index)
{
    Controller& c = s_.controllers[which];
    index &= 15;
    if (index < 8) {
        const u16 value = index & 1 ? c.current_count[index / 2] : c.current_address[index / 2];
        c.high_byte ^= 1;
        return u8(c.high_byte ? value : value >> 8);
    }
    switch (index) {
    case reg_status_command:
        return read_status(which);
    case reg_master_clear:
        return 0;    // the temporary register, which only memory-to-memory transfers fill
    case reg_all_mask:
        return c.mask | 0xf0;
    default:
        return 0xff;
    }
}

u8 I8237Pair::read_status(unsigned which)
{
    Controller& c = s_.controllers[which];
    const u8 requests = u8((s_.hardware_requests >> (4 * which) & 15) | c.request);
    const u8 status = u8(requests << 4 | c.reached);
    c.reached = 0;
    return status;
}

void I8237Pair::write_register(unsigned which, unsigned index, u8 value)
{
    const u8 before = ready_channels();
    index &= 15;
    if (index < 8)
        write_channel(s_.controllers[which], index, value);
    else
        write_control(s_.controllers[which], index, value);
    announce_ready(before);
}

void I8237Pair::write_channel(Controller& c, unsigned index, u8 value)
{
    const unsigned n = index / 2;
    u16& base = index & 1 ? c.base_count[n] : c.base_address[n];
    u16& current = index & 1 ? c.current_count[n] : c.current_address[n];
    base = c.high_byte ? u16((base & 0x00ff) | value << 8) : u16((base & 0xff00) | value);
    current = base;
    c.high_byte ^= 1;
}

void I8237Pair::write_control(Controller& c, unsigned index, u8 value)
{
    const unsigned n = value & 3;
    const u8 bit_n = u8(1 << n);
    const auto set = [&](u8& bits, bool on) { bits = u8(on ? bits | bit_n : bits & ~bit_n); };
    switch (index) {
    case reg_status_command:
        c.command = value;
        break;
    case reg_request:
        set(c.request, value & 4);
        break;
    case reg_single_mask:
        set(c.mask, value & 4);
        break;
    case reg_mode:
        c.mode[n] = value & 0xfc;
        break;
    case reg_clear_flip_flop:
        c.high_byte = 0;
        break;
    case reg_master_clear:
        c.command = c.request = c.reached = c.high_byte = 0;
        c.mask = 0x0f;
        break;
    case reg_clear_mask:
        c.mask = 0;
        break;
    case reg_all_mask:
        c.mask = value & 0x0f;
        break;
    default:
        break;
    }
}

void I8237Pair::set_request(unsigned channel, bool level)
{
    if (channel < 8)
        s_.hardware_requests = u8((s_.hardware_requests & ~(1 << channel)) | level << channel);
}

bool I8237Pair::ready(unsigned channel) const
{
    if (channel >= 8 || channel == cascade_channel)
        return false;
    const Controller& c = s_.controllers[channel / 4];
    if (c.command & command_disable || c.mask >> channel % 4 & 1 || (c.mode[channel % 4] & mode_select) == mode_cascade)
        return false;
    const Controller& second = s_.controllers[1];
    return channel > cascade_channel
        || (!(second.command & command_disable) && !(second.mask & 1) && (second.mode[0] & mode_select) == mode_cascade);
}

u8 I8237Pair::ready_channels() const
{
    u8 channels = 0;
    for (unsigned n = 0; n < 8; ++n)
        channels |= u8(ready(n) << n);
    return channels;
}

void I8237Pair::on_ready(unsigned channel, std::function<void()> listener)
{
    if (channel < 8)
        listeners_[channel] = std::move(listener);
}

void I8237Pair::announce_ready(u8 before)
{
    const u8 fresh = u8(ready_channels() & ~before);
    for (unsigned n = 0; n < 8; ++n)
        if (fresh >> n & 1 && listeners_[n])
            listeners_[n]();
}

bool I8237Pair::allowed(unsigned channel, Direction direction) const
{
    if (!ready(channel))
        return false;
    const u8 type = s_.controllers[channel / 4].mode[channel % 4] & mode_transfer;
    return type == mode_verify || type == (direction == Direction::to_memory ? mode_write : mode_read);
}

// Moves the channel on by `units`, which never exceeds what is left of its count.
u32 I8237Pair::advance(unsigned channel, u32 units)
{
    Controller& c = s_.controllers[channel / 4];
    const unsigned n = channel % 4;
    const u8 bit_n = u8(1 << n);
    const bool end = units == u32(c.current_count[n]) + 1;
    c.current_address[n] = u16(c.mode[n] & mode_decrement ? c.current_address[n] - units : c.current_address[n] + units);
    c.current_count[n] = u16(c.current_count[n] - units);
    if (!end)
        return units;
    s_.terminal_counts |= u8(1 << channel);
    c.reached |= bit_n;
    c.request &= u8(~bit_n);
    if (c.mode[n] & mode_auto_initialise) {
        c.current_address[n] = c.base_address[n];
        c.current_count[n] = c.base_count[n];
    } else {
        c.mask |= bit_n;
    }
    return units;
}

template <class Byte, class Move> u32 I8237Pair::transfer(unsigned channel, std::span<Byte> bytes, Move move)
{
    const Controller& c = s_.controllers[channel / 4];
    const unsigned n = channel % 4;
    const unsigned unit = channel > cascade_channel ? 2 : 1;
    const u64 page = s_.pages[page_of[channel]];
    const u64 high = unit == 2 ? (page & 0xfe) << 16 : page << 16;
    const u32 units = u32(std::min<std::size_t>(bytes.size() / unit, std::size_t(c.current_count[n]) + 1));

    for (u32 done = 0; done < units;) {
        const u16 address = u16(c.mode[n] & mode_decrement ? c.current_address[n] - done : c.current_address[n] + done);
        // Up to the end of the page, where the address wraps without a carry into the page register.
        const u32 run = c.mode[n] & mode_decrement ? 1 : std::min(units - done, 0x10000u - address);
        move(high + u64(address) * unit, bytes.subspan(std::size_t(done) * unit, std::size_t(run) * unit));
        done += run;
    }
    return units ? advance(channel, units) * unit : 0;
}

u32 I8237Pair::transfer_to_memory(unsigned channel, std::span<const u8> bytes)
{
    if (channel < 8)
        s_.terminal_counts &= u8(~(1 << channel));
    if (!allowed(channel, Direction::to_memory))
        return 0;
    const bool verify = (s_.controllers[channel / 4].mode[channel % 4] & mode_transfer) == mode_verify;
    return transfer(channel, bytes, [&](u64 address, std::span<const u8> part) {
        if (!verify)
            memory_.dma_write(address, part);
    });
}

u32 I8237Pair::transfer_from_memory(unsigned channel, std::span<u8> bytes)
{
    if (channel < 8)
        s_.terminal_counts &= u8(~(1 << channel));
    if (!allowed(channel, Direction::from_memory))
        return 0;
    const bool verify = (s_.controllers[channel / 4].mode[channel % 4] & mode_transfer) == mode_verify;
    return transfer(channel, bytes, [&](u64 address, std::span<u8> part) {
        if (verify || !memory_.dma_read(address, part))
            std::ranges::fill(part, u8(0xff));
    });
}

void I8237Pair::Controller::visit(StateVisitor& v)
{
    auto& [base_address_, base_count_, current_address_, current_count_, mode_, command_, mask_, request_, reached_, high_byte_]
        = *this;
    v.field("base_address", base_address_);
    v.field("base_count", base_count_);
    v.field("current_address", current_address_);
    v.field("current_count", current_count_);
    v.field("mode", mode_);
    v.field("command", command_);
    v.field("mask", mask_);
    v.field("request", request_);
    v.field("reached", reached_);
    v.field("high_byte", high_byte_);
}

void I8237Pair::visit(StateVisitor& v)
{
    auto& [controllers, pages, hardware_requests, terminal_counts] = s_;
    v.groups("controllers", controllers);
    v.field("pages", pages);
    v.field("hardware_requests", hardware_requests);
    v.field("terminal_counts", terminal_counts);
}

bool I8237Pair::restored()
{
    for (const Controller& c : s_.controllers) {
        if (c.mask > 15 || c.request > 15 || c.reached > 15 || c.high_byte > 1)
            return false;
    }
    return true;
}

}
