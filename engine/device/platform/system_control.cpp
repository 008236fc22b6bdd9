#include "engine/device/platform/system_control.h"

#include "engine/base/scale.h"

namespace engine {

namespace {
constexpr u8 nmisc_gate2 = 0x01, nmisc_writable = 0x0f, nmisc_refresh = 0x10, nmisc_out2 = 0x20;
// The refresh request, channel 1's output in an AT: every 18 ticks of 1 193 182 Hz.
constexpr u64 timer_frequency = 1'193'182, refresh_ticks = 18, nanoseconds = 1'000'000'000;
}

u64 SystemControlPort::read(u64, unsigned)
{
    const bool refresh = scale(wires_.clock.now(), timer_frequency, refresh_ticks * nanoseconds) & 1;
    return u8(s_.control | (refresh ? nmisc_refresh : 0) | (wires_.out2 && wires_.out2() ? nmisc_out2 : 0));
}

void SystemControlPort::write(u64, u64 value, unsigned)
{
    s_.control = u8(value) & nmisc_writable;
    if (wires_.gate2)
        wires_.gate2(s_.control & nmisc_gate2);
    if (wires_.speaker_changed)
        wires_.speaker_changed();
}

void SystemControlPort::visit(StateVisitor& v)
{
    auto& [control] = s_;
    v.field("control", control);
}

bool SystemControlPort::restored()
{
    return !(s_.control & ~nmisc_writable);
}

}
