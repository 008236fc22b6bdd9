#pragma once
// Keeps all vCPUs of a machine out of the guest while its memory map changes: between the deletion of a slot and its
// successor's creation an instruction fetched from there could not be run.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

namespace engine {

class KvmGate {
public:
    // A vCPU as the gate sees it. `interrupt`: any thread, makes a vCPU that is inside come out.
    struct Visitor {
        std::atomic<bool> inside = false;
        std::function<void()> interrupt;
    };

    // Before the machine runs.
    void add(Visitor& visitor) { visitors_.push_back(&visitor); }

    // A vCPU's own thread, around KVM_RUN; without the machine's lock.
    void enter(Visitor& visitor);
    void leave(Visitor& visitor);

    // Waits until nobody is inside, does `work`, lets them in again. Machine's lock held.
    void while_empty(const std::function<void()>& work);

private:
    std::vector<Visitor*> visitors_;
    std::atomic<bool> closed_ = false;
    std::mutex mutex_;
    std::condition_variable changed_;
};

}
