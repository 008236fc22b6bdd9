#include "engine/device/input/i8042.h"

#include <algorithm>
#include <utility>

#include "engine/device/input/scan_codes.h"

namespace engine {

namespace {
// Status register
constexpr u8 status_obf = 0x01, status_sys = 0x04, status_command = 0x08, status_unlocked = 0x10, status_aux = 0x20;
// Command byte
constexpr u8 mode_keyboard_irq = 0x01, mode_mouse_irq = 0x02, mode_sys = 0x04, mode_keyboard_off = 0x10, mode_mouse_off = 0x20;
constexpr u8 mode_translate = 0x40;
// Output port
constexpr u8 port_run = 0x01, port_a20 = 0x02, port_keyboard_irq = 0x10, port_mouse_irq = 0x20;

enum Command : u8 {
    read_ram = 0x20,    // to 3f
    write_ram = 0x60,    // to 7f
    test_password = 0xa4,
    disable_mouse = 0xa7,
    enable_mouse = 0xa8,
    test_mouse = 0xa9,
    self_test = 0xaa,
    test_keyboard = 0xab,
    disable_keyboard = 0xad,
    enable_keyboard = 0xae,
    read_input_port = 0xc0,
    read_output = 0xd0,
    write_output = 0xd1,
    write_keyboard_buffer = 0xd2,
    write_mouse_buffer = 0xd3,
    write_mouse = 0xd4,
    a20_off = 0xdd,
    a20_on = 0xdf,
    read_test_inputs = 0xe0,
    pulse = 0xf0,    // to ff
};

// Eleven bits at some 16 kHz.
constexpr u64 byte_time = 700'000;
}

I8042::I8042(DeadlineQueue& deadlines, Wires wires)
    : wires_(std::move(wires)),
      deadlines_(deadlines),
      next_byte_(deadlines, [this] { transfer(); })
{
    wires_.keyboard.on_byte([this] { transfer(); });
    wires_.mouse.on_byte([this] { transfer(); });
}

void I8042::claim(PortSpace& space)
{
    space.claim(0x60, 1, data_port_);
    space.claim(0x64, 1, command_port_);
}

u8 I8042::read_data()
{
    if (s_.status & status_obf) {
        s_.status &= u8(~(status_obf | status_aux));
        // The line falls before the next byte raises it: the 8259 wants an edge for each.
        update_irqs();
        if (s_.source != Source::controller)
            s_.free_at = deadlines_.now() + byte_time;
        transfer();
    }
    return s_.output;
}

void I8042::write_data(u8 value)
{
    s_.status &= u8(~status_command);
    if (s_.waiting_command) {
        finish_command(value);
        return;
    }
    // A byte for the keyboard switches its interface on.
    s_.ram[0] &= u8(~mode_keyboard_off);
    s_.free_at = std::max(s_.free_at, deadlines_.now() + byte_time);
    wires_.keyboard.write(value);
    transfer();
}

void I8042::command(u8 value)
{
    s_.status |= status_command;
    s_.waiting_command = 0;
    const bool takes_argument
        = (value >= write_ram && value < write_ram + s_.ram.size()) || (value >= write_output && value <= write_mouse);
    if (takes_argument)
        s_.waiting_command = value;
    else
        command_without_argument(value);
}

void I8042::command_without_argument(u8 value)
{
    if (value >= read_ram && value < read_ram + s_.ram.size())
        return reply(s_.ram[value - read_ram]);
    if (value >= pulse) {
        if (!(value & port_run) && wires_.reset_machine)
            wires_.reset_machine();
        return;
    }
    switch (value) {
    case test_password:
        return reply(0xf1);    // none is set
    case disable_mouse:
        return write_command_byte(s_.ram[0] | mode_mouse_off);
    case enable_mouse:
        return write_command_byte(s_.ram[0] & u8(~mode_mouse_off));
    case self_test:
        s_.status |= status_sys;
        s_.replies.clear();
        return reply(0x55);
    case test_mouse:
    case test_keyboard:
        return reply(0x00);
    case disable_keyboard:
        return write_command_byte(s_.ram[0] | mode_keyboard_off);
    case enable_keyboard:
        return write_command_byte(s_.ram[0] & u8(~mode_keyboard_off));
    case read_input_port:
        return reply(0x80);    // keyboard not locked
    case read_output:
        return reply(read_output_port());
    case a20_off:
    case a20_on:
        return write_output_port(u8(value == a20_on ? s_.output_port | port_a20 : s_.output_port & ~port_a20));
    case read_test_inputs:
        return reply(u8((s_.ram[0] & mode_keyboard_off ? 0 : 1) | (s_.ram[0] & mode_mouse_off ? 0 : 2)));
    default:
        break;
    }
}

void I8042::finish_command(u8 argument)
{
    const u8 value = std::exchange(s_.waiting_command, u8(0));
    switch (value) {
    case write_ram:
        return write_command_byte(argument);
    case write_output:
        return write_output_port(argument);
    case write_keyboard_buffer:
        return show(argument, Source::keyboard);
    case write_mouse_buffer:
        return show(argument, Source::mouse);
    case write_mouse:
        s_.ram[0] &= u8(~mode_mouse_off);
        s_.free_at = std::max(s_.free_at, deadlines_.now() + byte_time);
        wires_.mouse.write(argument);
        return transfer();
    default:
        s_.ram[value - write_ram] = argument;
    }
}

void I8042::write_command_byte(u8 value)
{
    s_.ram[0] = value;
    s_.status = u8((s_.status & ~status_sys) | (value & mode_sys));
    update_irqs();
    transfer();
}

void I8042::write_output_port(u8 value)
{
    s_.output_port = value & u8(~(port_keyboard_irq | port_mouse_irq));
    if (wires_.set_a20)
        wires_.set_a20(value & port_a20);
    if (!(value & port_run) && wires_.reset_machine)
        wires_.reset_machine();
}

u8 I8042::read_output_port() const
{
    return u8(
        s_.output_port | (wires_.keyboard_irq.level() ? port_keyboard_irq : 0) | (wires_.mouse_irq.level() ? port_mouse_irq : 0));
}

void I8042::reply(u8 value)
{
    s_.replies.push(value);
    transfer();
}

void I8042::show(u8 value, Source source)
{
    // A byte that replaces an unread one needs its own edge.
    s_.status &= u8(~(status_obf | status_aux));
    update_irqs();
    s_.output = value;
    s_.source = source;
    s_.status |= u8(status_obf | (source == Source::mouse ? status_aux : 0));
    update_irqs();
}

bool I8042::enabled(Source source) const
{
    return !(s_.ram[0] & (source == Source::keyboard ? mode_keyboard_off : mode_mouse_off));
}

// Moves the next byte into the output buffer if that is free: the controller's own first, then keyboard, then mouse.
void I8042::transfer()
{
    // Taking a byte makes devices announce the next one.
    if (transferring_ || s_.status & status_obf)
        return;
    if (!s_.replies.empty())
        return show(s_.replies.pop(), Source::controller);
    const bool from_keyboard = enabled(Source::keyboard) && wires_.keyboard.has_byte();
    const bool from_mouse = enabled(Source::mouse) && wires_.mouse.has_byte();
    if (!from_keyboard && !from_mouse)
        return;
    if (deadlines_.now() < s_.free_at)
        return next_byte_.arm(s_.free_at);
    transferring_ = true;
    u8 byte = from_keyboard ? wires_.keyboard.take_byte() : wires_.mouse.take_byte();
    transferring_ = false;
    if (!from_keyboard)
        return show(byte, Source::mouse);
    bool complete = true;
    if (s_.ram[0] & mode_translate)
        byte = translate(byte, complete);
    if (complete)
        return show(byte, Source::keyboard);
    // The break prefix is swallowed; its key follows a wire time later.
    s_.free_at = deadlines_.now() + byte_time;
    transfer();
}

u8 I8042::translate(u8 byte, bool& complete)
{
    if (byte == 0xf0) {
        s_.translating_break = true;
        complete = false;
        return byte;
    }
    const u8 code = set2_to_set1(byte);
    return std::exchange(s_.translating_break, false) ? code | 0x80 : code;
}

void I8042::update_irqs()
{
    const bool full = s_.status & status_obf, aux = s_.status & status_aux;
    wires_.keyboard_irq.set(full && !aux && s_.ram[0] & mode_keyboard_irq);
    wires_.mouse_irq.set(full && aux && s_.ram[0] & mode_mouse_irq);
}

void I8042::reset()
{
    s_ = {};
    next_byte_.cancel();
    update_irqs();
    if (wires_.set_a20)
        wires_.set_a20(true);
}

void I8042::visit(StateVisitor& v)
{
    auto& [ram, status, output, output_port, waiting_command, source, translating_break, replies, free_at] = s_;
    v.field("ram", ram);
    v.field("status", status);
    v.field("output", output);
    v.field("output_port", output_port);
    v.field("waiting_command", waiting_command);
    v.field("source", source);
    v.field("translating_break", translating_break);
    v.group("replies", replies);
    v.field("free_at", free_at);
}

bool I8042::restored()
{
    const u8 waiting = s_.waiting_command;
    const bool known = waiting == 0 || (waiting >= write_ram && waiting < write_ram + s_.ram.size())
        || (waiting >= write_output && waiting <= write_mouse);
    if (!known || !s_.replies.sound() || s_.source > Source::mouse)
        return false;
    update_irqs();
    if (wires_.set_a20)
        wires_.set_a20(s_.output_port & port_a20);
    transfer();
    return true;
}

}
