#include "engine/device/platform/vm_generation_id.h"

namespace engine {

void VmGenerationId::set(const State& id)
{
    const bool none = !s_.low && !s_.high, same = s_.low == id.low && s_.high == id.high;
    s_ = id;
    if (!none && !same)
        changed_();
}

u64 VmGenerationId::read(u64 offset, unsigned bytes)
{
    u64 value = 0;
    for (unsigned n = 0; n < bytes; ++n) {
        const u64 at = offset + n;
        const u64 half = at < 8 ? s_.low : at < 16 ? s_.high : 0;
        value |= (half >> (at % 8 * 8) & 0xff) << (8 * n);
    }
    return value;
}

void VmGenerationId::visit(StateVisitor& v)
{
    auto& [low, high] = s_;
    v.field("low", low);
    v.field("high", high);
}

}
