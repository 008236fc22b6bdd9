#pragma once
// What an I/O APIC, an MSI or another processor's ICR tells the local APICs. Intel SDM vol. 3, chapter 11, "The ICR".

#include "engine/base/types.h"

namespace engine {

enum class DeliveryMode : u8 {
    fixed = 0,
    lowest_priority = 1,
    smi = 2,
    reserved = 3,
    nmi = 4,
    init = 5,
    startup = 6,
    ext_int = 7
};

struct InterruptMessage {
    static constexpr u32 broadcast = 0xffffffff;

    u32 destination = 0;    // APIC ID, or logical destination
    bool logical = false;
    DeliveryMode mode = DeliveryMode::fixed;
    u8 vector = 0;
    bool level_triggered = false;

    // Sources that know 8 bits say ff for everybody.
    static constexpr u32 widen(u8 destination) { return destination == 0xff ? broadcast : destination; }
};

}
