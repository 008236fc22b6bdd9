#pragma once
// A 102-key AT keyboard with scan code sets 1 to 3. IBM PS/2 Hardware Interface Technical Reference, "Keyboards".
//
// The host repeats held keys, so the typematic rate is only stored. Not modelled: set 3's own choice of key types (all
// keys start as typematic/make/break), and the shift codes that wrap the grey cursor keys while Num Lock is on.

#include <functional>

#include "engine/device/device.h"
#include "engine/device/input/ps2_device.h"

namespace engine {

class Ps2Keyboard final : public Device, public Ps2Device {
public:
    static constexpr std::size_t longest_sequence = 8;

    // bit 0 scroll, 1 num, 2 caps. Machine's lock held.
    explicit Ps2Keyboard(std::function<void(u8 leds)> on_leds = {}) : on_leds_(std::move(on_leds)) { }

    // A set 1 make code, 0xe000 | code for extended keys, 0xe11d for Pause. A key that is down already repeats.
    // The caller asks has_room() first; without room the key is lost and the guest is told of the overrun.
    void key(u16 code, bool down);
    bool has_room() const { return s_.keys.room() > longest_sequence; }
    // Called when a byte has left, so that there may be room.
    void on_room(std::function<void()> listener) { on_room_ = std::move(listener); }

    void write(u8 byte) override;
    bool has_byte() const override { return !s_.replies.empty() || !s_.keys.empty(); }
    u8 take_byte() override;

    std::string_view name() const override { return "keyboard"; }
    void reset() override;
    void visit(StateVisitor& v) override;
    bool restored() override;

private:
    struct State {
        u8 scan_code_set = 2;
        u8 leds = 0;
        u8 typematic = 0x2b;    // 10.9 characters a second after half a second
        u8 waiting_command = 0;
        u8 last_sent = 0;
        bool scanning = true;
        std::array<u8, 32> no_repeat{};    // set 3: a bit a scan code
        std::array<u8, 32> no_break{};
        std::array<u8, 32> held{};    // plain keys from bit 0, extended ones from bit 128
        ByteQueue<8> replies;
        ByteQueue<24> keys;
    };

    void reply(u8 byte) { s_.replies.push(byte); }
    void finish_command(u8 command, u8 argument);
    void set_defaults();
    void define_all_keys(bool repeats, bool breaks);
    void set_leds(u8 leds);
    void press_pause();
    void press_print_screen(bool down);
    void send_key(u8 code, bool extended, bool down, bool repeat);
    void send(std::initializer_list<u8> sequence);
    bool is_held(u8 code, bool extended) const;

    State s_;
    std::function<void(u8)> on_leds_;
    std::function<void()> on_room_;
};

}
