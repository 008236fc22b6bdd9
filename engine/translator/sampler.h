#pragma once
// Where a vCPU's thread is in host code, up to 500 times for each second that it runs: a timer's signal writes it down and asks
// the vCPU to look. The timer rests while the thread is elsewhere.

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <ctime>
#include <span>

#include "engine/base/types.h"
#include "engine/cpu/x86/requests.h"

namespace engine::translator {

class Sampler {
public:
    // Destroyed on the vCPU's thread or after its end.
    Sampler(std::span<const u8> code, x86::Requests& requests)
        : begin_(u64(code.data())),
          end_(begin_ + code.size()),
          requests_(requests)
    {
    }
    ~Sampler();
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;

    // The rest is the vCPU's thread's.
    // Before host code is run.
    void start()
    {
        if (!ticking_.load(std::memory_order_relaxed)) [[unlikely]]
            tick();
    }
    bool any() const { return count_.load(std::memory_order_relaxed) != 0; }
    // Addresses of host code since the last call, good until the next; more than there is room for are lost.
    std::span<const u64> take();
    // What each of them stands for, in units of the least.
    unsigned weight() const { return unsigned(period_ / shortest); }
    // Whether they told something new: the next ones come the sooner.
    void were_useful(bool useful) { period_ = useful ? shortest : std::min(2 * period_, longest); }

private:
    static constexpr long shortest = 2'000'000, longest = 4'000'000;    // ns
    static constexpr u32 most_samples = 64;

    static void on_signal(int number, siginfo_t* info, void* context);
    void tick();
    void wind();
    bool create();

    const u64 begin_, end_;
    x86::Requests& requests_;
    timer_t timer_{};
    long thread_ = 0;    // that the timer interrupts; 0: there is no timer
    bool refused_ = false;
    long period_ = shortest;
    std::atomic<bool> ticking_ = false;
    std::atomic<u32> count_ = 0;
    std::array<std::atomic<u64>, most_samples> seen_{};
    std::array<u64, most_samples> taken_{};
};

}
