#include "engine/cpu/kvm/kvm_gate.h"

#include <algorithm>

namespace engine {

// Either the vCPU sees that the gate is closed, or the one who closes it sees the vCPU inside.
void KvmGate::enter(Visitor& visitor)
{
    for (;;) {
        visitor.inside.store(true);
        if (!closed_.load())
            return;
        leave(visitor);
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !closed_.load(); });
    }
}

void KvmGate::leave(Visitor& visitor)
{
    visitor.inside.store(false);
    if (!closed_.load())
        return;
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
}

void KvmGate::while_empty(const std::function<void()>& work)
{
    closed_.store(true);
    for (Visitor* visitor : visitors_)
        if (visitor->inside.load())
            visitor->interrupt();
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return std::ranges::none_of(visitors_, [](Visitor* v) { return v->inside.load(); }); });
    }
    work();
    {
        const std::lock_guard lock(mutex_);
        closed_.store(false);
    }
    changed_.notify_all();
}

}
