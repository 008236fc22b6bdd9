#include "engine/machine/vcpu_threads.h"

#include <algorithm>
#include <string>

#include <pthread.h>

namespace engine {

void VcpuThreads::start(std::vector<Vcpu*> vcpus)
{
    vcpus_ = std::move(vcpus);
    out_.assign(vcpus_.size(), false);
    for (unsigned index = 0; index < vcpus_.size(); ++index)
        threads_.emplace_back([this, index] { run(index); });
}

void VcpuThreads::stop()
{
    hold();
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    may_go_.notify_all();
    for (std::thread& thread : threads_)
        thread.join();
    threads_.clear();
    vcpus_.clear();    // the board may go before this
}

void VcpuThreads::hold()
{
    held_.store(true);
    for (Vcpu* vcpu : vcpus_)
        vcpu->kick();
}

void VcpuThreads::wait_held()
{
    std::unique_lock lock(mutex_);
    parked_changed_.wait(lock, [this] { return parked_ == threads_.size(); });
}

void VcpuThreads::go()
{
    {
        const std::lock_guard lock(mutex_);
        std::ranges::fill(out_, char(false));
        held_.store(false);
    }
    may_go_.notify_all();
}

void VcpuThreads::run(unsigned index)
{
    pthread_setname_np(pthread_self(), ("vcpu " + std::to_string(index)).c_str());
    while (park(index)) {
        VcpuExit exit = VcpuExit::kicked;
        while (exit == VcpuExit::kicked && !held_.load())
            exit = vcpus_[index]->run();
        if (exit == VcpuExit::kicked)
            continue;
        {
            const std::lock_guard lock(mutex_);
            out_[index] = true;
        }
        on_exit_(index, exit);
    }
}

// Waits for leave to go on; false when the thread is to end.
bool VcpuThreads::park(unsigned index)
{
    std::unique_lock lock(mutex_);
    ++parked_;
    parked_changed_.notify_all();
    may_go_.wait(lock, [&] { return stopping_ || (!held_.load() && !out_[index]); });
    --parked_;
    return !stopping_;
}

}
