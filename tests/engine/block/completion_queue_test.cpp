#include "engine/block/completion_queue.h"

#include <string>

#include <gtest/gtest.h>

using namespace engine;

TEST(CompletionQueueTest, events_run_in_order_and_cancelled_ones_do_not)
{
    CompletionQueue queue;
    unsigned woken = 0;
    queue.on_post([&] { ++woken; });
    CancelSource source;
    std::string order;
    queue.post([&] { order += 'a'; });
    queue.post(source.token(), [&] { order += 'b'; });
    queue.post([&] {
        order += 'c';
        queue.post([&] { order += 'd'; });
    });
    source.cancel();
    EXPECT_EQ(woken, 1u);
    EXPECT_EQ(queue.drain(), 2u);
    EXPECT_EQ(order, "ac");
    EXPECT_EQ(queue.drain(), 1u);
    EXPECT_EQ(order, "acd");
    EXPECT_EQ(queue.sequence(), 4u);
    EXPECT_TRUE(queue.empty());
}
