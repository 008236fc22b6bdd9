#pragma once
// The real-time signal that takes a thread out of KVM_RUN. Its handler does nothing; other system calls go on after it.

#include <ctime>

#include "engine/base/types.h"

namespace engine {

struct KickSignal {
    static int number();
    static void install();
    // The calling thread's mask.
    static void unblock();
};

// Sends the signal to a thread after `nanoseconds`, and again after as many each, until it goes.
class KickAlarm {
public:
    KickAlarm(int thread_id, u64 nanoseconds);
    ~KickAlarm();
    KickAlarm(const KickAlarm&) = delete;
    KickAlarm& operator=(const KickAlarm&) = delete;

    // False: the host has no timer left, nothing will ring.
    bool armed() const { return armed_; }

private:
    timer_t timer_{};
    bool created_ = false, armed_ = false;
};

}
