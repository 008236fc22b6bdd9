#include "engine/machine/key_queue.h"

#include <gtest/gtest.h>

using namespace engine;

TEST(KeyQueue, a_long_text_arrives_whole_and_in_order)
{
    Ps2Keyboard keyboard;
    KeyQueue keys(keyboard);
    for (int n = 0; n < 5000; ++n) {
        const u8 code = u8(0x10 + n % 9);
        keys.push(code, true);
        keys.push(code, false);
    }
    unsigned presses = 0;
    bool prefix = false;
    while (keyboard.has_byte()) {
        const u8 byte = keyboard.take_byte();
        if (byte == 0xf0)
            prefix = true;
        else if (!std::exchange(prefix, false))
            ++presses;
    }
    EXPECT_EQ(presses, 5000u);
    EXPECT_EQ(keys.waiting(), 0u);
}

TEST(KeyQueue, is_bounded_and_keeps_releases)
{
    Ps2Keyboard keyboard;
    KeyQueue keys(keyboard);
    for (std::size_t n = 0; n < 2 * KeyQueue::limit; ++n)
        keys.push(0x1e, true);
    EXPECT_EQ(keys.waiting(), KeyQueue::limit);
    keys.push(0x1e, false);
    EXPECT_EQ(keys.waiting(), KeyQueue::limit + 1);
    for (std::size_t n = 0; n < 3 * KeyQueue::limit; ++n)
        keys.push(0x1e, false);
    EXPECT_EQ(keys.waiting(), 2 * KeyQueue::limit);
}
