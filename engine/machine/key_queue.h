#pragma once
// Keys that wait until the guest's keyboard has room for them, so that text typed by a program arrives whole.

#include <deque>

#include "engine/device/input/ps2_keyboard.h"

namespace engine {

// Machine's lock held.
class KeyQueue {
public:
    static constexpr std::size_t limit = 1 << 16;

    explicit KeyQueue(Ps2Keyboard& keyboard) : keyboard_(keyboard)
    {
        keyboard.on_room([this] { feed(); });
    }

    // Beyond the limit new presses are lost; releases are not, so that no key stays down.
    void push(u16 code, bool down)
    {
        if (keys_.size() < limit || (!down && keys_.size() < 2 * limit))
            keys_.push_back({code, down});
        feed();
    }
    void clear() { keys_.clear(); }
    std::size_t waiting() const { return keys_.size(); }

private:
    struct Key {
        u16 code;
        bool down;
    };
    void feed()
    {
        while (!keys_.empty() && keyboard_.has_room()) {
            const Key key = keys_.front();
            keys_.pop_front();
            keyboard_.key(key.code, key.down);
        }
    }

    Ps2Keyboard& keyboard_;
    std::deque<Key> keys_;
};

}
