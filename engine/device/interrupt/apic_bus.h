#pragma once
// What carries interrupt messages to the local APICs, and ends of interrupt back. Intel SDM vol. 3, chapter 11, sections
// "Determining IPI destination" and "Message signalled interrupts".
//
// Wired before the machine runs; after that every method may be called from any thread. No lock is held while a local
// APIC is called, and never two APICs' mutexes at once.

#include <atomic>
#include <functional>
#include <vector>

#include "engine/device/interrupt/lapic.h"

namespace engine {

enum class Shorthand : u8 { none, self, all, all_but_self };

class ApicBus {
public:
    void add(Lapic& lapic);
    // A level-triggered vector was finished somewhere. Called on a vCPU's thread without any lock: take the machine's lock
    // and tell the I/O APIC.
    std::function<void(u8 vector)> on_eoi;

    const std::vector<Lapic*>& lapics() const { return lapics_; }

    // Returns whether some local APIC took the message.
    bool deliver(const InterruptMessage& message);
    bool deliver(const InterruptMessage& message, Shorthand shorthand, Lapic& from);
    // A device's memory write to fee00000-feefffff. False for other addresses or when nobody took it.
    bool deliver_msi(u64 address, u32 data);

private:
    bool deliver_lowest(const InterruptMessage& message);

    std::vector<Lapic*> lapics_;
    std::atomic<unsigned> next_ = 0;    // whose turn it is among equals
};

}
