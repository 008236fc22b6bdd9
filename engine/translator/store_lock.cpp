#include "engine/translator/store_lock.h"

namespace engine::translator {

bool StoreLock::try_for_a_while(u32& missed)
{
    constexpr unsigned most_looks = 64;
    if (try_lock())
        return true;
    for (unsigned n = 0; n < most_looks && turn_.load(std::memory_order_relaxed) != missed; ++n) {
        __builtin_ia32_pause();
        if (try_lock())
            return true;
    }
    missed = turn_.load(std::memory_order_relaxed);
    return false;
}

}
