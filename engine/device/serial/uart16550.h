#pragma once
// 16550A UART with FIFOs. National Semiconductor PC16550D data sheet, section 8.
//
// Sending is instant: a byte the guest writes leaves at once and the transmitter is never busy. Receiving keeps the
// pace of the line's rate, because a driver that takes one byte an interrupt needs an edge for each.
// Not modelled: parity, framing and break errors; hardware flow control by RTS.

#include <deque>
#include <functional>
#include <span>
#include <string>

#include "engine/device/device.h"
#include "engine/device/irq_line.h"
#include "engine/memory/port_space.h"
#include "engine/time/deadline_queue.h"

namespace engine {

class Uart16550 final : public Device, public IoHandler {
public:
    static constexpr unsigned ports = 8;
    static constexpr u16 com1 = 0x3f8, com2 = 0x2f8;
    static constexpr std::size_t fifo_size = 16;
    static constexpr std::size_t backlog_limit = 1 << 20;

    // What the guest sent, several bytes at a time. Machine's lock held.
    using Output = std::function<void(std::string_view bytes)>;

    Uart16550(std::string name, DeadlineQueue& deadlines, IrqLine& irq, Output output);
    void claim(PortSpace& space, u16 first_port) { space.claim(first_port, ports, *this); }

    // From the outside: bytes wait in a backlog and arrive as fast as the line and the guest take them.
    // Returns how many of them found room.
    std::size_t receive(std::span<const u8> bytes);
    // Hands out what waits to be given to the output in one piece (a few milliseconds' worth at most).
    void flush();

    std::string_view name() const override { return name_; }
    void reset() override;
    void visit(StateVisitor& v) override;
    bool restored() override;
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;

private:
    struct State {
        u16 divisor = 12;
        u8 ier = 0;
        u8 fcr = 0;
        u8 lcr = 0;
        u8 mcr = 0;
        u8 msr_delta = 0;
        u8 scr = 0;
        bool overrun = false;
        bool thre_pending = false;
        bool timed_out = false;
        u8 rx_head = 0;
        u8 rx_count = 0;
        std::array<u8, fifo_size> rx{};
        u64 timeout_at = Timer::never;    // virtual time
        u64 next_arrival = 0;    // when the line is free for the next byte
    };

    u8 read_data();
    void write_data(u8 value);
    u8 read_interrupt_identity();
    void write_interrupt_enable(u8 value);
    void write_fifo_control(u8 value);
    void write_modem_control(u8 value);
    u8 read_line_status();
    u8 read_modem_status();

    bool divisor_selected() const;
    bool fifo_enabled() const;
    bool looped() const;
    u8 trigger_level() const;
    u8 depth() const { return fifo_enabled() ? fifo_size : 1; }
    u64 character_time() const;
    u8 modem_lines() const;
    u8 interrupt_identity() const;
    void update_irq();
    void clear_receiver();
    void take_in(u8 byte);
    void arm_timeout();
    void arrive();
    void schedule_arrival();

    State s_;

    IrqLine& irq_;
    DeadlineQueue& deadlines_;
    Output output_;
    Timer arrival_, timeout_, flush_timer_;

    std::string name_;
    std::deque<u8> backlog_;
    std::string unsent_;
};

}
