#pragma once
// The wire between the i8042 and what is plugged into it: bytes both ways, the device's own queue behind it.
// IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller".

#include <functional>

#include "engine/base/types.h"
#include "engine/state/state_visitor.h"

namespace engine {

// A ring that refuses what does not fit.
template <std::size_t capacity> struct ByteQueue {
    std::array<u8, capacity> bytes{};
    u8 head = 0;
    u8 count = 0;

    bool empty() const { return count == 0; }
    std::size_t room() const { return capacity - count; }
    bool push(u8 byte)
    {
        if (count == capacity)
            return false;
        bytes[(head + count++) % capacity] = byte;
        return true;
    }
    u8 pop()
    {
        const u8 byte = bytes[head];
        head = u8((head + 1) % capacity);
        --count;
        return byte;
    }
    void clear() { head = count = 0; }
    bool sound() const { return head < capacity && count <= capacity; }
    void visit(StateVisitor& v)
    {
        v.field("bytes", bytes);
        v.field("head", head);
        v.field("count", count);
    }
};

// Machine's lock held for all of it.
class Ps2Device {
public:
    virtual ~Ps2Device() = default;
    // The host's byte. Answers appear in the device's queue.
    virtual void write(u8 byte) = 0;
    virtual bool has_byte() const = 0;
    // Only while has_byte().
    virtual u8 take_byte() = 0;
    // Called whenever a byte may have become available.
    void on_byte(std::function<void()> listener) { listener_ = std::move(listener); }

protected:
    void announce() const
    {
        if (listener_)
            listener_();
    }

private:
    std::function<void()> listener_;
};

}
