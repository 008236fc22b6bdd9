#include "engine/device/input/ps2_mouse.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace engine {

namespace {
enum Command : u8 {
    scaling_1_1 = 0xe6,
    scaling_2_1 = 0xe7,
    set_resolution = 0xe8,
    read_status = 0xe9,
    set_stream = 0xea,
    read_report = 0xeb,
    leave_wrap = 0xec,
    enter_wrap = 0xee,
    set_remote = 0xf0,
    read_id = 0xf2,
    set_sample_rate = 0xf3,
    enable = 0xf4,
    disable = 0xf5,
    set_default = 0xf6,
    resend = 0xfe,
    reset_command = 0xff,
};
constexpr u8 acknowledge = 0xfa, test_passed = 0xaa, resend_please = 0xfe;
constexpr u8 id_plain = 0, id_wheel = 3, id_explorer = 4;
constexpr u8 report_always = 0x08, report_x_sign = 0x10, report_y_sign = 0x20;
constexpr i32 furthest = 1 << 20;    // movement nobody asks for is forgotten beyond this

i32 scaled(i32 counts)
{
    constexpr std::array<i32, 6> small{0, 1, 1, 3, 6, 9};
    const i32 size = std::abs(counts);
    const i32 result = size < i32(small.size()) ? small[std::size_t(size)] : 2 * size;
    return counts < 0 ? -result : result;
}
}

void Ps2Mouse::move(int dx, int dy, int wheel, u8 buttons)
{
    s_.buttons = buttons & 0x1f;
    const auto add = [](i32& sum, int more) { sum = i32(std::clamp(i64(sum) + more, i64(-furthest), i64(furthest))); };
    add(s_.dx, dx);
    add(s_.dy, dy);
    add(s_.wheel, wheel);
    if (!s_.enabled && !s_.remote)
        drop_movement();
    make_report();
}

bool Ps2Mouse::changed() const
{
    return s_.dx || s_.dy || (s_.wheel && s_.id != id_plain) || s_.buttons != s_.reported_buttons;
}

void Ps2Mouse::make_report()
{
    if (!s_.enabled || s_.remote || s_.wrapping || !s_.report.empty() || !changed())
        return;
    append_report(nullptr);
    announce();
}

// What does not fit into one report stays for the next.
void Ps2Mouse::append_report(ByteQueue<8>* instead)
{
    const auto push = [&](i32 byte) { instead ? instead->push(u8(byte)) : s_.report.push(u8(byte)); };
    const i32 x = std::clamp(s_.dx, -255, 255), down = std::clamp(s_.dy, -255, 255), notches = std::clamp(s_.wheel, -7, 7);
    s_.dx -= x;
    s_.dy -= down;
    s_.wheel -= notches;
    const bool scaling = s_.scaling && !s_.remote;
    const i32 out_x = std::clamp(scaling ? scaled(x) : x, -255, 255),
              out_y = std::clamp(scaling ? scaled(-down) : -down, -255, 255);
    push(report_always | (s_.buttons & 7) | (out_x < 0 ? report_x_sign : 0) | (out_y < 0 ? report_y_sign : 0));
    push(out_x);
    push(out_y);
    // The wheel counts towards the user.
    if (s_.id == id_wheel)
        push(-notches);
    else if (s_.id == id_explorer)
        push((-notches & 0x0f) | (s_.buttons & 0x18) << 1);
    s_.reported_buttons = s_.buttons;
    if (s_.id == id_plain)
        s_.wheel = 0;
}

void Ps2Mouse::drop_movement()
{
    s_.dx = s_.dy = s_.wheel = 0;
}

u8 Ps2Mouse::take_byte()
{
    s_.last_sent = s_.replies.empty() ? s_.report.pop() : s_.replies.pop();
    make_report();
    return s_.last_sent;
}

void Ps2Mouse::write(u8 byte)
{
    if (s_.wrapping && byte != reset_command && byte != leave_wrap)
        reply(byte);
    else if (s_.waiting_command)
        finish_command(std::exchange(s_.waiting_command, u8(0)), byte);
    else
        command(byte);
    announce();
    make_report();
}

void Ps2Mouse::command(u8 byte)
{
    // Any command cuts short the report that is on its way.
    s_.report.clear();
    switch (byte) {
    case set_resolution:
    case set_sample_rate:
        s_.waiting_command = byte;
        return reply(acknowledge);
    case read_status:
        reply(acknowledge);
        return reply_status();
    case read_report:
        reply(acknowledge);
        return append_report(&s_.replies);
    case read_id:
        reply(acknowledge);
        return reply(s_.id);
    case resend:
        return reply(s_.last_sent);
    case reset_command:
        reset();
        reply(acknowledge);
        reply(test_passed);
        return reply(id_plain);
    default:
        reply(change_mode(byte) ? acknowledge : resend_please);
    }
}

bool Ps2Mouse::change_mode(u8 byte)
{
    switch (byte) {
    case scaling_1_1:
    case scaling_2_1:
        s_.scaling = byte == scaling_2_1;
        return true;
    case set_stream:
    case set_remote:
        s_.remote = byte == set_remote;
        drop_movement();
        return true;
    case enter_wrap:
    case leave_wrap:
        s_.wrapping = byte == enter_wrap;
        return true;
    case enable:
    case disable:
        s_.enabled = byte == enable;
        drop_movement();
        s_.reported_buttons = s_.buttons;
        return true;
    case set_default:
        set_defaults();
        return true;
    default:
        return false;
    }
}

void Ps2Mouse::finish_command(u8 command, u8 argument)
{
    if (command == set_resolution && argument > 3)
        return reply(resend_please);
    if (command == set_resolution)
        s_.resolution = argument;
    else
        set_rate(argument);
    reply(acknowledge);
}

// The knocks that make a mouse show its wheel and its extra buttons.
void Ps2Mouse::set_rate(u8 rate)
{
    s_.rate = rate;
    s_.knock = {s_.knock[1], s_.knock[2], rate};
    if (s_.knock == std::array<u8, 3>{200, 100, 80})
        s_.id = std::max(s_.id, id_wheel);
    else if (s_.knock == std::array<u8, 3>{200, 200, 80})
        s_.id = id_explorer;
}

void Ps2Mouse::set_defaults()
{
    const State fresh;
    s_.rate = fresh.rate;
    s_.resolution = fresh.resolution;
    s_.scaling = fresh.scaling;
    s_.enabled = fresh.enabled;
    s_.remote = fresh.remote;
    drop_movement();
}

void Ps2Mouse::reply_status()
{
    const u8 held = s_.buttons;
    reply(
        u8((s_.remote ? 0x40 : 0) | (s_.enabled ? 0x20 : 0) | (s_.scaling ? 0x10 : 0) | (held & 1 ? 4 : 0) | (held & 4 ? 2 : 0)
           | (held & 2 ? 1 : 0)));
    reply(s_.resolution);
    reply(s_.rate);
}

void Ps2Mouse::reset()
{
    const u8 held = s_.buttons;
    s_ = {};
    s_.buttons = s_.reported_buttons = held;
}

void Ps2Mouse::visit(StateVisitor& v)
{
    auto& [id, rate, resolution, waiting_command, last_sent, enabled, remote, wrapping, scaling, buttons, reported_buttons, dx, dy, wheel, knock, replies, report]
        = s_;
    v.field("id", id);
    v.field("rate", rate);
    v.field("resolution", resolution);
    v.field("waiting_command", waiting_command);
    v.field("last_sent", last_sent);
    v.field("enabled", enabled);
    v.field("remote", remote);
    v.field("wrapping", wrapping);
    v.field("scaling", scaling);
    v.field("buttons", buttons);
    v.field("reported_buttons", reported_buttons);
    v.field("dx", dx);
    v.field("dy", dy);
    v.field("wheel", wheel);
    v.field("knock", knock);
    v.group("replies", replies);
    v.group("report", report);
}

bool Ps2Mouse::restored()
{
    const auto far = [](i32 counts) { return counts < -furthest || counts > furthest; };
    const bool known = s_.id == id_plain || s_.id == id_wheel || s_.id == id_explorer;
    return known && s_.replies.sound() && s_.report.sound() && !far(s_.dx) && !far(s_.dy) && !far(s_.wheel);
}

}
