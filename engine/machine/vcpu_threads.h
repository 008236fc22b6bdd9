#pragma once
// A thread for each vCPU of a machine, and the brake that takes all of them out of the guest.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/cpu/vcpu.h"

namespace engine {

class VcpuThreads {
public:
    // Called on the vCPU's thread, without the machine's lock, when run() came back for another reason than a kick. The
    // vCPU stays out of the guest until the next hold() and go().
    using OnExit = std::function<void(unsigned index, VcpuExit exit)>;

    explicit VcpuThreads(OnExit on_exit) : on_exit_(std::move(on_exit)) { }
    ~VcpuThreads() { stop(); }
    VcpuThreads(const VcpuThreads&) = delete;
    VcpuThreads& operator=(const VcpuThreads&) = delete;

    // The threads begin held. The vCPUs outlive stop().
    void start(std::vector<Vcpu*> vcpus);
    // Ends the threads. Not with the machine's lock held.
    void stop();

    // Any thread, with or without the machine's lock, without waiting: the vCPUs leave the guest.
    void hold();
    // Waits until all of them have, after hold(). Not with the machine's lock held, and not on a vCPU's thread.
    void wait_held();
    // Lets all of them into the guest again.
    void go();

private:
    void run(unsigned index);
    bool park(unsigned index);

    OnExit on_exit_;
    std::vector<Vcpu*> vcpus_;
    std::mutex mutex_;
    std::condition_variable parked_changed_, may_go_;
    std::atomic<bool> held_ = true;
    std::vector<char> out_;    // left the guest of its own accord
    unsigned parked_ = 0;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}
