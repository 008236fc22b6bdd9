#include "engine/device/display/frame_publisher.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace engine {

Rectangle united(const Rectangle& a, const Rectangle& b)
{
    if (a.empty())
        return b;
    if (b.empty())
        return a;
    const u32 x = std::min(a.x, b.x), y = std::min(a.y, b.y);
    return {x, y, std::max(a.x + a.width, b.x + b.width) - x, std::max(a.y + a.height, b.y + b.height) - y};
}

namespace {
Rectangle within(const Rectangle& r, const Rectangle& whole)
{
    if (r.x >= whole.width || r.y >= whole.height)
        return {};
    return {r.x, r.y, std::min(r.width, whole.width - r.x), std::min(r.height, whole.height - r.y)};
}
}

// A frame that only this object still holds can be drawn over: whoever let go of it did so with release order.
FramePublisher::Slot& FramePublisher::free_slot()
{
    for (Slot& slot : slots_)
        if (slot.frame && slot.frame.use_count() == 1) {
            std::atomic_thread_fence(std::memory_order_acquire);
            return slot;
        }
    for (Slot& slot : slots_)
        if (!slot.frame)
            return slot;
    slots_[number_ % slots_.size()] = {};
    return slots_[number_ % slots_.size()];
}

void FramePublisher::publish(const std::vector<u32>& picture, u32 width, u32 height, Rectangle damage)
{
    const Rectangle whole{0, 0, width, height};
    for (Slot& slot : slots_)
        slot.stale = united(slot.stale, damage);
    Slot& slot = free_slot();
    if (!slot.frame || slot.frame->width != width || slot.frame->height != height) {
        slot.frame = std::make_shared<Frame>();
        slot.frame->pixels.resize(u64(width) * height);
        slot.stale = whole;
    }
    Frame& frame = *slot.frame;
    frame.number = ++number_;
    frame.width = width;
    frame.height = height;
    const Rectangle r = within(slot.stale, whole);
    for (u32 y = r.y; y < r.y + r.height; ++y)
        std::memcpy(&frame.pixels[u64(y) * width + r.x], &picture[u64(y) * width + r.x], u64(r.width) * sizeof(u32));
    slot.stale = {};
    frame.damage = unseen_ = within(mailbox_.fetched() ? damage : united(unseen_, damage), whole);
    mailbox_.put(slot.frame);
}

}
