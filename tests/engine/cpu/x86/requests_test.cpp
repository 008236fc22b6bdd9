// What host code, which looks for one bit, sees of what a vCPU is asked.
#include <gtest/gtest.h>

#include <cstring>

#include "engine/cpu/x86/requests.h"

using namespace engine;
using namespace engine::x86;

namespace {

bool seen_by_host_code(const Requests& requests)
{
    u32 word;
    std::memcpy(&word, &requests, sizeof word);
    return word & Requests::any;
}

}

TEST(Requests, nothing_is_seen_until_something_is_asked)
{
    Requests requests;
    requests.add(0);
    EXPECT_FALSE(seen_by_host_code(requests));
    requests.add(request_interrupt);
    EXPECT_TRUE(seen_by_host_code(requests));
    EXPECT_EQ(requests.take(), u32(request_interrupt));
    EXPECT_FALSE(seen_by_host_code(requests));
}

TEST(Requests, what_is_left_when_one_is_forgotten_is_still_seen)
{
    Requests requests;
    requests.add(request_interrupt | u32(request_stale_code));
    requests.forget(~u32(request_stale_code));
    EXPECT_TRUE(seen_by_host_code(requests));
    EXPECT_EQ(requests.pending(), u32(request_stale_code));
    requests.forget(request_stale_code);
    EXPECT_FALSE(seen_by_host_code(requests));
    EXPECT_EQ(requests.pending(), 0u);
}
