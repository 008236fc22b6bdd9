#include "engine/cpu/x86/rendezvous.h"

#include <utility>

#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

void Rendezvous::add(Cpu& c)
{
    cpus_.push_back(&c);
}

void Rendezvous::code_written(const MemoryBlock& memory, u64 page)
{
    const std::lock_guard lock(stale_mutex_);
    if (stale_.size() <= most_stale)
        stale_.push_back(u64(memory.data()) + (page << page_shift));
    for (Cpu* const c : cpus_)
        c->request.add(request_stale_code);
}

std::vector<u64> Rendezvous::take_stale(bool& everything)
{
    const std::lock_guard lock(stale_mutex_);
    everything = stale_.size() > most_stale;
    return std::exchange(stale_, {});
}

void Rendezvous::enter()
{
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !exclusive_; });
    ++inside_;
}

void Rendezvous::leave()
{
    const std::lock_guard lock(mutex_);
    --inside_;
    if (exclusive_)
        changed_.notify_all();
}

void Rendezvous::step_aside()
{
    leave();
    enter();
}

void Rendezvous::begin_exclusive(Cpu& c)
{
    if (alone())
        return;
    std::unique_lock lock(mutex_);
    // Two at once: the later one stands aside like everybody else.
    if (exclusive_) {
        --inside_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return !exclusive_; });
        ++inside_;
    }
    exclusive_ = true;
    for (Cpu* other : cpus_)
        if (other != &c)
            other->request.add(request_rendezvous);
    changed_.wait(lock, [&] { return inside_ == 1; });
}

void Rendezvous::end_exclusive()
{
    if (alone())
        return;
    const std::lock_guard lock(mutex_);
    exclusive_ = false;
    changed_.notify_all();
}

}
