#include "engine/translator/sampler.h"

#include <algorithm>

#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace engine::translator {

namespace {

int sample_signal()
{
    return SIGRTMIN + 5;
}

}

Sampler::~Sampler()
{
    if (thread_)
        timer_delete(timer_);
}

// On the vCPU's thread, which may be anywhere.
void Sampler::on_signal(int, siginfo_t* info, void* context)
{
    if (info->si_code != SI_TIMER)
        return;
    Sampler& s = *static_cast<Sampler*>(info->si_value.sival_ptr);
    const u64 at = u64(static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
    s.ticking_.store(false, std::memory_order_relaxed);
    if (at < s.begin_ || at >= s.end_)
        return;
    if (const u32 n = s.count_.load(std::memory_order_relaxed); n < most_samples) {
        s.seen_[n].store(at, std::memory_order_relaxed);
        s.count_.store(n + 1, std::memory_order_relaxed);
        s.requests_.add(x86::request_samples);
    }
    s.wind();
}

// Without a timer there are no samples, and no blocks that are translated again.
bool Sampler::create()
{
    static const bool installed = [] {
        struct sigaction action { };
        action.sa_sigaction = &on_signal;
        action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
        return sigaction(sample_signal(), &action, nullptr) == 0;
    }();
    struct sigevent event { };
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = sample_signal();
    event.sigev_value.sival_ptr = this;
    event._sigev_un._tid = pid_t(syscall(SYS_gettid));
    if (!installed || timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0)
        return false;
    thread_ = event._sigev_un._tid;
    return true;
}

void Sampler::tick()
{
    if (refused_)
        return;
    if (const long here = syscall(SYS_gettid); thread_ != here) {
        if (thread_)
            timer_delete(timer_);
        thread_ = 0;
        refused_ = !create();
    }
    if (!refused_)
        wind();
}

// For one sample: a thread that halts is not woken again.
void Sampler::wind()
{
    const itimerspec once{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = period_}};
    ticking_.store(timer_settime(timer_, 0, &once, nullptr) == 0, std::memory_order_relaxed);
}

std::span<const u64> Sampler::take()
{
    const u32 count = count_.load(std::memory_order_relaxed);
    std::ranges::transform(
        seen_.begin(), seen_.begin() + count, taken_.begin(), [](const auto& at) { return at.load(std::memory_order_relaxed); });
    count_.store(0, std::memory_order_relaxed);
    return std::span(taken_).first(count);
}

}
