#pragma once
// Private to Lapic.

#include <utility>

#include "engine/device/interrupt/apic_bus.h"

namespace engine {

// One call from outside: holds the mutex, then sends what the call gave rise to.
class Lapic::Call {
public:
    explicit Call(Lapic& lapic) : lapic_(lapic) { lapic_.mutex_.lock(); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call()
    {
        lapic_.update();
        const Outbox out = std::exchange(lapic_.outbox_, {});
        lapic_.mutex_.unlock();
        using Kind = LapicEvent::Kind;
        for (const Kind kind : {Kind::init, Kind::startup, Kind::smi, Kind::nmi, Kind::ext_int, Kind::interrupt})
            if (lapic_.sink_ && out.events >> unsigned(kind) & 1)
                lapic_.sink_({kind, out.startup_vector});
        if (lapic_.bus_ && out.command)
            lapic_.bus_->deliver(out.message, Shorthand(out.shorthand), lapic_);
        if (lapic_.bus_ && lapic_.bus_->on_eoi && out.eoi_vector >= 0)
            lapic_.bus_->on_eoi(u8(out.eoi_vector));
    }

private:
    Lapic& lapic_;
};

}
