#pragma once
// The machine's time stamp on a processor whose time stamp counter never stops: a vCPU's KVM offset is base() + its own
// tsc_offset, and base() jumps where the machine's clock stood still.

#include <mutex>
#include <optional>

#include "engine/base/scale.h"
#include "engine/time/virtual_clock.h"

namespace engine {

class KvmTime {
public:
    KvmTime(const Clock& clock, u64 tsc_hz) : clock_(clock), tsc_hz_(tsc_hz) { }

    // Any thread. What a time stamp counter that was never written would show.
    u64 time_stamp() const { return scale(clock_.now(), tsc_hz_, 1'000'000'000); }
    u64 tsc_hz() const { return tsc_hz_; }
    u64 now() const { return clock_.now(); }

    // `counter`: the time stamp that a vCPU with KVM offset 0 shows now. Corrects the base after a stop of the clock.
    u64 follow(u64 counter)
    {
        const std::lock_guard lock(mutex_);
        const u64 ahead = time_stamp() - (counter + base_.value_or(0)), tolerance = tsc_hz_ / 1000;
        // Within a millisecond the two clocks only drift; a correction would set the vCPUs apart.
        if (!base_ || ahead + tolerance > 2 * tolerance)
            base_ = base_.value_or(0) + ahead;
        return *base_;
    }

private:
    const Clock& clock_;
    const u64 tsc_hz_;
    std::mutex mutex_;
    std::optional<u64> base_;
};

}
