#pragma once
// The local APIC of one processor, as xAPIC and x2APIC. Intel SDM vol. 3, chapter 11 (10 in older ones).
//
// Threads: no machine's lock. Every method may be called from any thread (its own vCPU, another one that sends an IPI, the
// machine thread) and takes a small mutex of its own; deliverable() and ext_int_pending() only read atomics. Neither sink
// nor on_eoi is called with that mutex held. The vCPU calls read() and write() itself for the page at base(), without
// the machine's lock, because an end of interrupt may need it (ApicBus::on_eoi).
// Time: the timer counts the virtual clock at 1 GHz, so one undivided tick is 1 ns; TSC deadlines are converted with
// `tsc_hz`. A timer that would fire more often than every 20 µs fires every 20 µs.
// Not modelled: the CMCI entry, directed EOI, and delivery status and arbitration (delivery is instant).

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <string>

#include "engine/device/device.h"
#include "engine/device/interrupt/interrupt_message.h"
#include "engine/time/deadline_queue.h"

namespace engine {

class ApicBus;

// What makes a vCPU look again. For `interrupt` it then asks deliverable(), for `ext_int` ext_int_pending(). When `init`
// is heard, the APIC's registers are in their reset state already.
struct LapicEvent {
    enum class Kind : u8 { interrupt, ext_int, nmi, smi, init, startup } kind = Kind::interrupt;
    u8 vector = 0;    // startup: the page to start at
};

class Lapic final : public Device, public IoHandler {
public:
    struct Configuration {
        u32 id = 0;    // initial APIC ID; below 255 for xAPIC mode
        bool bootstrap = false;
        bool x2apic = true;    // as CPUID says
        unsigned physical_bits = 40;
        u64 tsc_hz = 1'000'000'000;
        std::function<u64()> tsc;    // this processor's time stamp; any thread
    };
    using Set = std::array<u32, 8>;    // 256 vectors
    enum LocalVector : u8 { lvt_timer, lvt_thermal, lvt_performance, lvt_lint0, lvt_lint1, lvt_error, lvt_count };

    struct State {
        u64 base = 0xfee00800;    // IA32_APIC_BASE
        u32 id = 0;    // xAPIC: as the guest left it
        u8 tpr = 0;
        u32 ldr = 0;    // xAPIC: bits 31-24
        u32 dfr = 0xffffffff;
        u32 svr = 0xff;
        Set isr{}, tmr{}, irr{};
        u32 esr = 0;    // as latched by the last write
        u32 errors = 0;    // since then
        u64 icr = 0;
        std::array<u32, lvt_count> lvt{0x10000, 0x10000, 0x10000, 0x10000, 0x10000, 0x10000};
        u32 initial_count = 0;
        u32 divide = 0;
        u64 next_expiry = Timer::never;    // virtual time of the one-shot or periodic expiry to come
        u64 tsc_deadline = 0;
        u8 lint0 = 0;    // levels of the pins
        u8 lint1 = 0;
        u8 ext_int_message = 0;    // an ExtINT message waits for accept_ext_int()

        bool operator==(const State&) const = default;
    };
    // The names of a local APIC's state, for whoever keeps one.
    static void visit(StateVisitor& visitor, State& state);

    Lapic(DeadlineQueue& queue, Configuration configuration);

    // Wiring, before the machine runs.
    void connect(ApicBus& bus) { bus_ = &bus; }
    void set_sink(std::function<void(LapicEvent)> sink) { sink_ = std::move(sink); }

    // The CPU loop, before every instruction that may be interrupted.
    bool deliverable() const { return deliverable_.load(std::memory_order_relaxed); }
    bool ext_int_pending() const { return ext_int_.load(std::memory_order_relaxed); }
    // Takes the most urgent vector into service; -1 if none is deliverable any more.
    int accept();

    // Right before the processor runs the 8259's acknowledge cycle: whether it is still wanted.
    bool accept_ext_int();

    // LINT0 is INTR (the 8259's), LINT1 is NMI.
    void set_lint0(bool level) { set_pin(lvt_lint0, level); }
    void set_lint1(bool level) { set_pin(lvt_lint1, level); }
    // Whether INTR reaches the processor: LINT0 unmasked in ExtINT mode, or the APIC disabled in IA32_APIC_BASE.
    bool ext_int_enabled() const;

    // Events of the processor itself; thermal and performance only.
    void raise_local(LocalVector entry);

    u8 cr8() const;
    void set_cr8(u8 value);

    // IA32_APIC_BASE, TSC_DEADLINE and 800h-83fh. False: #GP(0).
    bool read_msr(u32 msr, u64& value);
    bool write_msr(u32 msr, u64 value);
    u64 base() const;    // IA32_APIC_BASE
    // The processor's time stamp jumped (a write to IA32_TSC).
    void tsc_changed();

    // The xAPIC page. Registers are 32 bits wide at steps of 16 bytes.
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;

    // From the bus.
    u32 id() const { return configuration_.id; }
    bool matches(const InterruptMessage& message) const;
    unsigned arbitration_priority() const;
    // False if this APIC cannot take the message. `vector` is the page for startup.
    bool deliver(const InterruptMessage& message);

    // Power-on state. `bootstrap`: IA32_APIC_BASE.BSP, and LINT0 lets the 8259 through as firmware would set it up.
    void reset(bool bootstrap);

    std::string_view name() const override { return name_; }
    void reset() override { reset(configuration_.bootstrap); }
    void visit(StateVisitor& visitor) override;
    bool restored() override;

private:
    class Call;
    enum class TimerMode : u8 { one_shot, periodic, tsc_deadline };

    bool globally_enabled() const { return s_.base & 0x800; }
    bool x2apic() const { return s_.base & 0x400; }
    bool software_enabled() const { return s_.svr & 0x100; }
    u8 processor_priority() const;

    bool ext_int_passes() const;
    u32 read_register(unsigned index);
    void write_register(unsigned index, u32 value);
    bool write_x2apic(unsigned index, u64 value);
    bool write_base(u64 value);
    bool write_tsc_deadline(u64 value);
    void write_spurious(u32 value);
    void write_local_vector(LocalVector entry, u32 value);
    void send_command();
    void end_of_interrupt();
    void take_init();
    void clear_registers();

    void event(LapicEvent::Kind kind) { outbox_.events |= u8(1 << unsigned(kind)); }
    void set_pin(LocalVector entry, bool level);
    void local_interrupt(LocalVector entry);
    void accept_own(u8 vector);
    void accept_vector(u8 vector, bool level_triggered);
    void error(u32 bits);
    void update();

    TimerMode timer_mode() const;
    u64 timer_tick() const { return u64(1) << ((((s_.divide >> 1 & 4) | (s_.divide & 3)) + 1) & 7); }
    u32 current_count();
    void start_timer(u32 count);
    void write_divide(u32 value);
    void poll_timer();
    void arm_timer();

    State s_;
    ApicBus* bus_ = nullptr;
    DeadlineQueue& queue_;
    std::function<void(LapicEvent)> sink_;
    Configuration configuration_;
    std::string name_;

    mutable std::mutex mutex_;
    std::atomic<bool> deliverable_ = false, ext_int_ = false;
    // What the call in progress owes the world once the mutex is free.
    struct Outbox {
        u8 events = 0;    // a bit a LapicEvent::Kind
        u8 startup_vector = 0;
        int eoi_vector = -1;
        bool command = false;
        InterruptMessage message;
        u8 shorthand = 0;
    } outbox_;
    Timer timer_;
};

}
