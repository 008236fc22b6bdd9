#include "engine/time/entropy.h"

#include <sys/random.h>

namespace engine {

std::optional<u64> host_entropy()
{
    u64 value = 0;
    if (::getrandom(&value, sizeof value, GRND_NONBLOCK) != sizeof value)
        return {};
    return value;
}

}
