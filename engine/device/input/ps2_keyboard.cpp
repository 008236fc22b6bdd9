#include "engine/device/input/ps2_keyboard.h"

#include <utility>

#include "engine/base/bits.h"
#include "engine/device/input/scan_codes.h"

namespace engine {

namespace {
enum Command : u8 {
    set_indicators = 0xed,
    echo = 0xee,
    select_set = 0xf0,
    read_id = 0xf2,
    set_typematic = 0xf3,
    enable = 0xf4,
    default_disable = 0xf5,
    set_default = 0xf6,
    all_typematic = 0xf7,
    all_make_break = 0xf8,
    all_make = 0xf9,
    all_typematic_make_break = 0xfa,
    key_typematic = 0xfb,
    key_make_break = 0xfc,
    key_make = 0xfd,
    resend = 0xfe,
    reset_command = 0xff,
};
constexpr u8 acknowledge = 0xfa, test_passed = 0xaa, resend_please = 0xfe;
constexpr u8 overrun_set1 = 0xff, overrun_set23 = 0x00;
constexpr u8 id_first = 0xab, id_second = 0x83;

// Set 1 codes of the keys with manners of their own.
constexpr u16 pause_key = 0xe11d, print_screen_key = 0xe037, break_key = 0xe046;
constexpr u8 control = 0x1d, alt = 0x38, left_shift = 0x2a, sysrq = 0x54;

void set_bit(std::array<u8, 32>& set, unsigned n, bool value)
{
    set[n / 8] = u8(value ? set[n / 8] | 1 << n % 8 : set[n / 8] & ~(1 << n % 8));
}

bool get_bit(const std::array<u8, 32>& set, unsigned n)
{
    return set[n / 8] >> n % 8 & 1;
}
}

void Ps2Keyboard::key(u16 code, bool down)
{
    const u8 low = code & 0x7f;
    const bool extended = code >> 8 == 0xe0;
    if (code != pause_key && (code >> 8 != 0 && !extended))
        return;
    const bool was_down = code != pause_key && is_held(low, extended);
    if (code != pause_key)
        set_bit(s_.held, low + (extended ? 128 : 0), down);
    if (!s_.scanning || (code != pause_key && !down && !was_down))
        return;
    if (!has_room()) {
        s_.keys.push(s_.scan_code_set == 1 ? overrun_set1 : overrun_set23);
        return announce();
    }
    const bool control_held = is_held(control, false) || is_held(control, true);
    if (code == pause_key && down && control_held && s_.scan_code_set != 3) {
        send_key(break_key & 0x7f, true, true, false);
        send_key(break_key & 0x7f, true, false, false);
    } else if (code == pause_key) {
        if (down)
            press_pause();
        else if (s_.scan_code_set == 3)
            send_key(break_key & 0x7f, true, false, false);
    } else if (code == print_screen_key && s_.scan_code_set != 3) {
        press_print_screen(down);
    } else {
        send_key(low, extended, down, was_down);
    }
    announce();
}

void Ps2Keyboard::press_pause()
{
    if (s_.scan_code_set == 1)
        send({0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5});
    else if (s_.scan_code_set == 2)
        send({0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77});
    else
        send_key(break_key & 0x7f, true, true, false);
}

// Print Screen sends a shift of its own, unless shift or control is down; with Alt it is SysRq.
void Ps2Keyboard::press_print_screen(bool down)
{
    if (is_held(alt, false) || is_held(alt, true))
        return send_key(sysrq, false, down, false);
    const bool shifted = is_held(left_shift, false) || is_held(0x36, false) || is_held(control, false) || is_held(control, true);
    if (down && !shifted)
        send_key(left_shift, true, true, false);
    send_key(print_screen_key & 0x7f, true, down, false);
    if (!down && !shifted)
        send_key(left_shift, true, false, false);
}

void Ps2Keyboard::send_key(u8 code, bool extended, bool down, bool repeat)
{
    if (s_.scan_code_set == 3) {
        const u8 make = set1_to_set3(code, extended);
        if (make == 0 || (repeat && get_bit(s_.no_repeat, make)) || (!down && get_bit(s_.no_break, make)))
            return;
        return down ? send({make}) : send({0xf0, make});
    }
    const u8 make = s_.scan_code_set == 1 ? code : set1_to_set2(code);
    if (make == 0)
        return;
    if (extended)
        send({0xe0});
    if (s_.scan_code_set == 1)
        return send({u8(down ? make : make | 0x80)});
    return down ? send({make}) : send({0xf0, make});
}

void Ps2Keyboard::send(std::initializer_list<u8> sequence)
{
    for (const u8 byte : sequence)
        s_.keys.push(byte);
}

bool Ps2Keyboard::is_held(u8 code, bool extended) const
{
    return get_bit(s_.held, code + (extended ? 128 : 0));
}

u8 Ps2Keyboard::take_byte()
{
    s_.last_sent = s_.replies.empty() ? s_.keys.pop() : s_.replies.pop();
    if (on_room_ && has_room())
        on_room_();
    return s_.last_sent;
}

void Ps2Keyboard::write(u8 byte)
{
    // A byte that can't be an argument starts a new command.
    const u8 waiting = std::exchange(s_.waiting_command, u8(0));
    if (waiting && byte < set_indicators) {
        finish_command(waiting, byte);
        return announce();
    }
    switch (byte) {
    case echo:
        reply(echo);
        break;
    case resend:
        reply(s_.last_sent);
        break;
    case read_id:
        reply(acknowledge);
        reply(id_first);
        reply(id_second);
        break;
    case set_indicators:
    case select_set:
    case set_typematic:
        s_.waiting_command = byte;
        reply(acknowledge);
        break;
    case key_typematic:
    case key_make_break:
    case key_make:
        s_.waiting_command = byte;
        s_.scanning = false;
        reply(acknowledge);
        break;
    case enable:
        s_.keys.clear();
        s_.scanning = true;
        reply(acknowledge);
        break;
    case default_disable:
    case set_default:
        set_defaults();
        s_.scanning = byte == set_default;
        reply(acknowledge);
        break;
    case all_typematic:
    case all_make_break:
    case all_make:
    case all_typematic_make_break:
        define_all_keys(
            byte == all_typematic || byte == all_typematic_make_break,
            byte == all_make_break || byte == all_typematic_make_break);
        reply(acknowledge);
        break;
    case reset_command:
        reset();
        reply(acknowledge);
        reply(test_passed);
        break;
    default:
        reply(resend_please);
    }
    announce();
}

void Ps2Keyboard::finish_command(u8 command, u8 argument)
{
    switch (command) {
    case set_indicators:
        set_leds(argument & 7);
        break;
    case set_typematic:
        s_.typematic = argument & 0x7f;
        break;
    case select_set:
        if (argument > 3)
            return reply(resend_please);
        reply(acknowledge);
        if (argument == 0)
            return reply(s_.scan_code_set);
        s_.scan_code_set = argument;
        s_.keys.clear();
        return;
    default:
        set_bit(s_.no_repeat, argument, command != key_typematic);
        set_bit(s_.no_break, argument, command != key_make_break);
        s_.waiting_command = command;    // further keys may follow
    }
    reply(acknowledge);
}

void Ps2Keyboard::set_defaults()
{
    s_.keys.clear();
    s_.typematic = State{}.typematic;
    define_all_keys(true, true);
}

void Ps2Keyboard::define_all_keys(bool repeats, bool breaks)
{
    s_.no_repeat.fill(repeats ? 0 : 0xff);
    s_.no_break.fill(breaks ? 0 : 0xff);
}

void Ps2Keyboard::set_leds(u8 leds)
{
    if (s_.leds == leds)
        return;
    s_.leds = leds;
    if (on_leds_)
        on_leds_(leds);
}

void Ps2Keyboard::reset()
{
    // What the person's fingers hold is still held.
    const auto held = s_.held;
    set_leds(0);
    s_ = {};
    s_.held = held;
}

void Ps2Keyboard::visit(StateVisitor& v)
{
    auto& [scan_code_set, leds, typematic, waiting_command, last_sent, scanning, no_repeat, no_break, held, replies, keys] = s_;
    v.field("scan_code_set", scan_code_set);
    v.field("leds", leds);
    v.field("typematic", typematic);
    v.field("waiting_command", waiting_command);
    v.field("last_sent", last_sent);
    v.field("scanning", scanning);
    v.field("no_repeat", no_repeat);
    v.field("no_break", no_break);
    v.field("held", held);
    v.group("replies", replies);
    v.group("keys", keys);
}

bool Ps2Keyboard::restored()
{
    if (s_.scan_code_set < 1 || s_.scan_code_set > 3 || !s_.replies.sound() || !s_.keys.sound())
        return false;
    if (on_leds_)
        on_leds_(s_.leds);
    return true;
}

}
