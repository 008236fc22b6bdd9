#pragma once
// A PS/2 mouse: three bytes, IntelliMouse's wheel (id 3), Explorer's five buttons (id 4). IBM PS/2 Hardware Interface
// Technical Reference, "Auxiliary device"; Microsoft, "Intellimouse: wheel support for PS/2".
//
// A report goes out when something changed and the one before has been taken, so the sample rate is only stored.

#include "engine/device/device.h"
#include "engine/device/input/ps2_device.h"

namespace engine {

class Ps2Mouse final : public Device, public Ps2Device {
public:
    // Counts to the right and downwards, notches away from the user; buttons bit 0 left, 1 right, 2 middle, 3 and 4 extra.
    void move(int dx, int dy, int wheel, u8 buttons);

    void write(u8 byte) override;
    bool has_byte() const override { return !s_.replies.empty() || !s_.report.empty(); }
    u8 take_byte() override;

    std::string_view name() const override { return "mouse"; }
    void reset() override;
    void visit(StateVisitor& v) override;
    bool restored() override;

private:
    struct State {
        u8 id = 0;
        u8 rate = 100;
        u8 resolution = 2;
        u8 waiting_command = 0;
        u8 last_sent = 0;
        bool enabled = false;
        bool remote = false;
        bool wrapping = false;
        bool scaling = false;
        u8 buttons = 0;
        u8 reported_buttons = 0;
        i32 dx = 0, dy = 0, wheel = 0;    // not yet reported
        std::array<u8, 3> knock{};    // the last three sample rates
        ByteQueue<8> replies;
        ByteQueue<4> report;
    };

    void reply(u8 byte) { s_.replies.push(byte); }
    void command(u8 byte);
    bool change_mode(u8 byte);
    void finish_command(u8 command, u8 argument);
    void set_rate(u8 rate);
    void set_defaults();
    void reply_status();
    bool changed() const;
    void make_report();
    void append_report(ByteQueue<8>* instead);
    void drop_movement();

    State s_;
};

}
