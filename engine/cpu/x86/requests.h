#pragma once
// What a vCPU is asked to look up for at its next block edge, by any thread.

#include <atomic>

#include "engine/base/types.h"

namespace engine::x86 {

enum Request : u32 {
    request_kick = 1,
    request_interrupt = 2,
    request_nmi = 4,
    request_smi = 8,
    request_init = 16,
    request_sipi = 32,
    request_flush = 64,
    request_rendezvous = 256,
    request_debug = 512,
    request_flush_writes = 1024,
    request_stale_code = 2048,    // a page was written that host code was made from
    request_samples = 4096,    // of where host code spends its time
};

class Requests {
public:
    // Set as long as there is any: host code looks for it together with Cpu::vectors_away by an AND with a register that has this
    // bit and some above 32, as a processor takes TEST and the branch as one.
    static constexpr u32 any = 128;

    void add(u32 what, std::memory_order order = std::memory_order_seq_cst)
    {
        if (what)
            bits_.fetch_or(what | any, order);
    }
    // Wakes the vCPU if it waits, too.
    void ask(u32 what)
    {
        add(what);
        bits_.notify_one();
    }
    u32 pending(std::memory_order order = std::memory_order_relaxed) const { return bits_.load(order) & ~any; }
    // The rest is the vCPU's thread's. All of them are forgotten.
    u32 take() { return bits_.exchange(0) & ~any; }
    // Others stay.
    void forget(u32 what)
    {
        u32 old = bits_.load();
        const auto left = [&] { return old & ~(what | any) ? (old & ~what) | any : 0; };
        while (!bits_.compare_exchange_weak(old, left())) { }
    }
    // Until there is one.
    void wait() const { bits_.wait(0); }

private:
    std::atomic<u32> bits_ = 0;
};

}
