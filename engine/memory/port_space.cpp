#include "engine/memory/port_space.h"

#include <algorithm>
#include <optional>

#include "engine/base/bits.h"

namespace engine {

void PortSpace::claim(u16 first, unsigned count, IoHandler& handler, unsigned widest)
{
    const unsigned last = std::min(first + count - 1, 0xffffu);
    claims_.push_back({first, u16(last), widest, &handler});
    rebuild();
}

void PortSpace::release(u16 first, unsigned count, IoHandler& handler)
{
    const unsigned last = std::min(first + count - 1, 0xffffu);
    std::erase_if(claims_, [&](const Claim& c) { return c.first == first && c.last == last && c.handler == &handler; });
    rebuild();
}

void PortSpace::rebuild()
{
    index_.fill(0);
    for (std::size_t n = 0; n < claims_.size(); ++n)
        std::fill(index_.begin() + claims_[n].first, index_.begin() + claims_[n].last + 1, u16(n + 1));
}

const PortSpace::Claim* PortSpace::find(u16 port) const
{
    return index_[port] ? &claims_[index_[port] - 1] : nullptr;
}

u32 PortSpace::read(u16 port, unsigned size)
{
    std::optional<std::lock_guard<std::mutex>> lock;
    if (machine_lock_)
        lock.emplace(*machine_lock_);
    return read_locked(port, size);
}

void PortSpace::write(u16 port, u32 value, unsigned size)
{
    std::optional<std::lock_guard<std::mutex>> lock;
    if (machine_lock_)
        lock.emplace(*machine_lock_);
    write_locked(port, value, size);
}

u32 PortSpace::read_locked(u16 port, unsigned size)
{
    const Claim* claim = find(port);
    if (size > 1 && (!claim || claim->widest < size || port + size - 1u > claim->last)) {
        u32 value = 0;
        for (unsigned n = 0; n < size; ++n)
            value |= read_locked(u16(port + n), 1) << (8 * n);
        return value;
    }
    if (!claim)
        return u32(low_mask(8 * size));
    return u32(claim->handler->read(port - claim->first, size) & low_mask(8 * size));
}

void PortSpace::write_locked(u16 port, u32 value, unsigned size)
{
    const Claim* claim = find(port);
    if (size > 1 && (!claim || claim->widest < size || port + size - 1u > claim->last)) {
        for (unsigned n = 0; n < size; ++n)
            write_locked(u16(port + n), value >> (8 * n) & 0xff, 1);
        return;
    }
    if (claim)
        claim->handler->write(port - claim->first, value & low_mask(8 * size), size);
}

}
