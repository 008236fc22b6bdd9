#include "engine/device/serial/uart16550.h"

#include <algorithm>
#include <utility>

namespace engine {

namespace {
enum RegisterNumber : u8 { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

// 8.6.6 Interrupt Enable
constexpr u8 ier_received = 0x01, ier_thre = 0x02, ier_line = 0x04, ier_modem = 0x08;
// 8.6.5 Interrupt Identity, highest priority first
constexpr u8 iir_line = 0x06, iir_received = 0x04, iir_timeout = 0x0c, iir_thre = 0x02, iir_modem = 0x00, iir_none = 0x01;
constexpr u8 iir_fifos = 0xc0;
// 8.6.4 FIFO Control
constexpr u8 fcr_enable = 0x01, fcr_clear_received = 0x02, fcr_kept = 0xc9;
// 8.6.1 Line Control
constexpr u8 lcr_divisor = 0x80;
// 8.6.7 Modem Control
constexpr u8 mcr_dtr = 0x01, mcr_rts = 0x02, mcr_out1 = 0x04, mcr_out2 = 0x08, mcr_loop = 0x10, mcr_writable = 0x1f;
// 8.6.3 Line Status
constexpr u8 lsr_ready = 0x01, lsr_overrun = 0x02, lsr_idle = 0x60;    // THRE | TEMT
// 8.6.8 Modem Status: the lines, and in the low half their changes
constexpr u8 msr_cts = 0x10, msr_dsr = 0x20, msr_ri = 0x40, msr_dcd = 0x80;
constexpr u8 msr_ri_ended = 0x04;
constexpr u8 peer_lines = msr_cts | msr_dsr | msr_dcd;    // somebody is always at the other end

constexpr u64 divisor_period = 1'000'000'000ull * 16;    // nanoseconds times the 1.8432 MHz input clock
constexpr u64 input_clock = 1'843'200;
constexpr std::size_t flush_size = 512;
constexpr u64 flush_delay = 2'000'000;
}

Uart16550::Uart16550(std::string name, DeadlineQueue& deadlines, IrqLine& irq, Output output)
    : irq_(irq),
      deadlines_(deadlines),
      output_(std::move(output)),
      arrival_(deadlines, [this] { arrive(); }),
      timeout_(
          deadlines,
          [this] {
              s_.timeout_at = Timer::never;
              s_.timed_out = s_.rx_count != 0;
              update_irq();
          }),
      flush_timer_(deadlines, [this] { flush(); }),
      name_(std::move(name))
{
}

u64 Uart16550::read(u64 offset, unsigned)
{
    switch (offset) {
    case DATA:
        return divisor_selected() ? s_.divisor & 0xff : read_data();
    case IER:
        return divisor_selected() ? s_.divisor >> 8 : s_.ier;
    case IIR:
        return read_interrupt_identity();
    case LCR:
        return s_.lcr;
    case MCR:
        return s_.mcr;
    case LSR:
        return read_line_status();
    case MSR:
        return read_modem_status();
    case SCR:
        return s_.scr;
    default:
        return 0xff;
    }
}

void Uart16550::write(u64 offset, u64 wide, unsigned)
{
    const u8 value = u8(wide);
    switch (offset) {
    case DATA:
        if (divisor_selected())
            s_.divisor = u16((s_.divisor & 0xff00) | value);
        else
            write_data(value);
        break;
    case IER:
        if (divisor_selected())
            s_.divisor = u16(value << 8 | (s_.divisor & 0xff));
        else
            write_interrupt_enable(value);
        break;
    case IIR:
        write_fifo_control(value);
        break;
    case LCR:
        s_.lcr = value;
        break;
    case MCR:
        write_modem_control(value);
        break;
    case SCR:
        s_.scr = value;
        break;
    default:
        break;
    }
}

u8 Uart16550::read_data()
{
    if (s_.rx_count == 0)
        return 0;
    const u8 byte = s_.rx[s_.rx_head];
    s_.rx_head = u8((s_.rx_head + 1) % fifo_size);
    --s_.rx_count;
    s_.timed_out = false;
    arm_timeout();
    schedule_arrival();
    update_irq();
    return byte;
}

void Uart16550::write_data(u8 value)
{
    s_.thre_pending = false;
    update_irq();
    if (looped()) {
        take_in(value);
    } else {
        unsent_.push_back(char(value));
        if (unsent_.size() >= flush_size || value == '\n')
            flush();
        else if (!flush_timer_.armed())
            flush_timer_.arm(deadlines_.now() + flush_delay);
    }
    s_.thre_pending = true;
    update_irq();
}

void Uart16550::write_interrupt_enable(u8 value)
{
    // Drivers expect the empty transmitter to interrupt as soon as that is enabled.
    if (value & ~s_.ier & ier_thre)
        s_.thre_pending = true;
    s_.ier = value & 0x0f;
    update_irq();
}

u8 Uart16550::read_interrupt_identity()
{
    const u8 identity = interrupt_identity();
    if (identity == iir_thre)
        s_.thre_pending = false;
    update_irq();
    return identity | (fifo_enabled() ? iir_fifos : 0);
}

void Uart16550::write_fifo_control(u8 value)
{
    if ((value ^ s_.fcr) & fcr_enable || (value & fcr_enable && value & fcr_clear_received))
        clear_receiver();
    // The other bits are only programmed together with the enable bit.
    s_.fcr = value & fcr_enable ? value & fcr_kept : 0;
    schedule_arrival();
    update_irq();
}

void Uart16550::write_modem_control(u8 value)
{
    const u8 before = modem_lines();
    s_.mcr = value & mcr_writable;
    const u8 after = modem_lines();
    const u8 changed = u8((before ^ after) >> 4);
    s_.msr_delta |= changed & ~msr_ri_ended;
    if (before & ~after & msr_ri)
        s_.msr_delta |= msr_ri_ended;
    schedule_arrival();
    update_irq();
}

u8 Uart16550::read_line_status()
{
    const u8 status = u8(lsr_idle | (s_.rx_count ? lsr_ready : 0) | (s_.overrun ? lsr_overrun : 0));
    s_.overrun = false;
    update_irq();
    return status;
}

u8 Uart16550::read_modem_status()
{
    const u8 status = modem_lines() | s_.msr_delta;
    s_.msr_delta = 0;
    update_irq();
    return status;
}

bool Uart16550::divisor_selected() const
{
    return s_.lcr & lcr_divisor;
}

bool Uart16550::fifo_enabled() const
{
    return s_.fcr & fcr_enable;
}

bool Uart16550::looped() const
{
    return s_.mcr & mcr_loop;
}

u8 Uart16550::trigger_level() const
{
    constexpr std::array<u8, 4> levels{1, 4, 8, 14};
    return fifo_enabled() ? levels[s_.fcr >> 6] : 1;
}

u64 Uart16550::character_time() const
{
    const u64 data_bits = 5 + (s_.lcr & 3), stop_bits = s_.lcr & 4 ? 2 : 1, parity = s_.lcr & 8 ? 1 : 0;
    const u64 divisor = s_.divisor ? s_.divisor : 1;
    return (1 + data_bits + parity + stop_bits) * divisor * divisor_period / input_clock;
}

u8 Uart16550::modem_lines() const
{
    if (!looped())
        return peer_lines;
    return u8(
        (s_.mcr & mcr_rts ? msr_cts : 0) | (s_.mcr & mcr_dtr ? msr_dsr : 0) | (s_.mcr & mcr_out1 ? msr_ri : 0)
        | (s_.mcr & mcr_out2 ? msr_dcd : 0));
}

u8 Uart16550::interrupt_identity() const
{
    if (s_.ier & ier_line && s_.overrun)
        return iir_line;
    if (s_.ier & ier_received && s_.rx_count >= trigger_level())
        return iir_received;
    if (s_.ier & ier_received && s_.timed_out)
        return iir_timeout;
    if (s_.ier & ier_thre && s_.thre_pending)
        return iir_thre;
    if (s_.ier & ier_modem && s_.msr_delta)
        return iir_modem;
    return iir_none;
}

// On a PC the interrupt passes a gate that OUT2 opens; loop-back holds that pin inactive (8.6.7).
void Uart16550::update_irq()
{
    irq_.set(s_.mcr & mcr_out2 && !looped() && interrupt_identity() != iir_none);
}

void Uart16550::clear_receiver()
{
    s_.rx_head = 0;
    s_.rx_count = 0;
    s_.timed_out = false;
    s_.timeout_at = Timer::never;
    timeout_.cancel();
}

void Uart16550::take_in(u8 byte)
{
    if (s_.rx_count >= depth()) {
        // Without FIFOs the new byte replaces the old one; with them the new one is lost (8.6.3, bit 1).
        if (!fifo_enabled())
            s_.rx[s_.rx_head] = byte;
        s_.overrun = true;
    } else {
        s_.rx[(s_.rx_head + s_.rx_count++) % fifo_size] = byte;
    }
    s_.timed_out = false;
    arm_timeout();
    update_irq();
}

// 8.6.4: four character times without a byte in or out while the FIFO holds some.
void Uart16550::arm_timeout()
{
    s_.timeout_at = fifo_enabled() && s_.rx_count ? deadlines_.now() + 4 * character_time() : Timer::never;
    timeout_.arm(s_.timeout_at);
}

std::size_t Uart16550::receive(std::span<const u8> bytes)
{
    const std::size_t room = backlog_limit - std::min(backlog_.size(), backlog_limit);
    const auto taken = bytes.first(std::min(bytes.size(), room));
    backlog_.insert(backlog_.end(), taken.begin(), taken.end());
    schedule_arrival();
    return taken.size();
}

void Uart16550::schedule_arrival()
{
    if (backlog_.empty() || looped() || s_.rx_count >= depth())
        arrival_.cancel();
    else
        arrival_.arm(std::max(s_.next_arrival, deadlines_.now()));
}

void Uart16550::arrive()
{
    if (backlog_.empty() || looped() || s_.rx_count >= depth())
        return;
    // A late machine thread catches up, by a FIFO's worth at most.
    const u64 now = deadlines_.now(), most_behind = fifo_size * character_time();
    s_.next_arrival = std::max(s_.next_arrival, now - std::min(now, most_behind)) + character_time();
    const u8 byte = backlog_.front();
    backlog_.pop_front();
    take_in(byte);
    schedule_arrival();
}

void Uart16550::flush()
{
    flush_timer_.cancel();
    if (unsent_.empty())
        return;
    const std::string bytes = std::exchange(unsent_, {});
    if (output_)
        output_(bytes);
}

void Uart16550::reset()
{
    flush();
    s_ = {};
    clear_receiver();
    schedule_arrival();
    update_irq();
}

void Uart16550::visit(StateVisitor& v)
{
    auto& [divisor, ier, fcr, lcr, mcr, msr_delta, scr, overrun, thre_pending, timed_out, rx_head, rx_count, rx, timeout_at, next_arrival]
        = s_;
    v.field("divisor", divisor);
    v.field("ier", ier);
    v.field("fcr", fcr);
    v.field("lcr", lcr);
    v.field("mcr", mcr);
    v.field("msr_delta", msr_delta);
    v.field("scr", scr);
    v.field("overrun", overrun);
    v.field("thre_pending", thre_pending);
    v.field("timed_out", timed_out);
    v.field("rx_head", rx_head);
    v.field("rx_count", rx_count);
    v.field("rx", rx);
    v.field("timeout_at", timeout_at);
    v.field("next_arrival", next_arrival);
}

bool Uart16550::restored()
{
    if (s_.rx_head >= fifo_size || s_.rx_count > depth())
        return false;
    timeout_.arm(s_.timeout_at);
    schedule_arrival();
    update_irq();
    return true;
}

}
