#include "engine/cpu/kvm/kick_signal.h"

#include <csignal>

#include <pthread.h>

namespace engine {

int KickSignal::number()
{
    return SIGRTMIN + 4;
}

void KickSignal::install()
{
    struct sigaction action { };
    action.sa_handler = [](int) {};
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(number(), &action, nullptr);
}

void KickSignal::unblock()
{
    sigset_t kick;
    sigemptyset(&kick);
    sigaddset(&kick, number());
    pthread_sigmask(SIG_UNBLOCK, &kick, nullptr);
}

KickAlarm::KickAlarm(int thread_id, u64 nanoseconds)
{
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = KickSignal::number();
    event._sigev_un._tid = thread_id;
    created_ = timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
    if (!created_)
        return;
    const timespec when{.tv_sec = time_t(nanoseconds / 1'000'000'000), .tv_nsec = long(nanoseconds % 1'000'000'000)};
    const itimerspec period{.it_interval = when, .it_value = when};
    armed_ = timer_settime(timer_, 0, &period, nullptr) == 0;
}

KickAlarm::~KickAlarm()
{
    if (created_)
        timer_delete(timer_);
}

}
