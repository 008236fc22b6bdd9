#pragma once
// The one thread of a machine that runs its devices' alarms, what the outside posts, and its life cycle. It sleeps until
// the next of these is due.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "engine/time/deadline_queue.h"
#include "engine/time/virtual_clock.h"

namespace engine {

class MachineThread {
public:
    // What the thread works on; all of it outlives the thread.
    struct Work {
        std::mutex& machine_lock;
        DeadlineQueue& deadlines;
        const VirtualClock& clock;    // alarms rest while it stands still
    };

    // Both run in every round, on the thread. `events` with the machine's lock: what the outside has posted. `between`
    // without it: the place for what has to wait for vCPUs.
    MachineThread(Work work, std::function<void()> events, std::function<void()> between);
    ~MachineThread() { stop(); }
    MachineThread(const MachineThread&) = delete;
    MachineThread& operator=(const MachineThread&) = delete;

    void start();
    // Any thread but this one: returns when the thread has ended.
    void stop();
    // Any thread, with or without the machine's lock: another round, soon.
    void wake();

private:
    void run();
    void sleep();

    Work work_;
    std::function<void()> events_, between_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool woken_ = false, stopping_ = false;
    std::thread thread_;
};

}
