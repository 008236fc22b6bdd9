#pragma once
// What the translator tells of itself.

#include <vector>

#include "engine/base/types.h"

namespace engine {

// What it has done; zeroes where another back end runs.
struct TranslatorCounts {
    u64 blocks = 0;    // translated
    u64 guest_bytes = 0, host_bytes = 0;    // of them
    u64 nanoseconds = 0;    // spent on them
    u64 runs = 0;    // entries to host code from the run loop; what ended them:
    u64 unlinked = 0, requests = 0, faults = 0, others = 0;
    u64 tlb_fills = 0;
    u64 pages_dropped = 0;    // of code that was written to
    u64 regions_emptied = 0;    // of the memory for code, to make room
    u64 drops_of_all = 0;

    void operator+=(const TranslatorCounts& more);
};

// One of its blocks, for people who look into it.
struct TranslatedBlock {
    unsigned cpu = 0;
    unsigned bits = 64;    // of the guest's code: 32 or 64
    u64 guest_address = 0, host_address = 0;    // of the first bytes below; the guest's is linear
    std::vector<u8> guest, host;
    struct Start {
        u32 guest, host;
    };
    std::vector<Start> starts;    // of each instruction, as offsets into both; host code behind them all is out of line
};

}
