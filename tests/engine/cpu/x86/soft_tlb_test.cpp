#include "engine/cpu/x86/soft_tlb.h"

#include <functional>

#include <gtest/gtest.h>

using namespace engine;
using namespace engine::x86;

namespace {

constexpr u64 page = 0x7f0000123000, other_page = 0x7f0000456000, host = 0x10000, kernel_page = 0xffffffff81000000;

class SoftTlbTest : public ::testing::Test {
protected:
    SoftTlbContext& user() { return tlb.context(TlbContextName::user); }
    bool holds(u64 linear, Access access = Access::read) { return (user().entry(access, linear).tag ^ linear) < page_size; }
    void fill(u64 linear, bool global = false, Access access = Access::read, bool has_key = false)
    {
        user().fill(access, linear, host, global, has_key);
    }

    // As host code does.
    void move_window(u32 number, u64 linear, u64 to)
    {
        TlbWindow& window = tlb.sites[number];
        window.base = linear;
        window.limit = 1;
        window.addend = to - linear;
        window.next = std::exchange(tlb.moved_sites, number);
    }

    SoftTlb tlb;
};

}

TEST_F(SoftTlbTest, a_pcid_finds_again_what_it_left)
{
    fill(page);
    const u64 generation = tlb.generation();
    tlb.select(5);
    EXPECT_FALSE(holds(page));
    EXPECT_NE(tlb.generation(), generation);
    tlb.select(0);
    EXPECT_TRUE(holds(page));
    EXPECT_EQ(tlb.generation(), generation);
}

TEST_F(SoftTlbTest, flushing_one_pcid_leaves_the_others_and_global_pages)
{
    fill(page);
    tlb.select(5);
    fill(page);
    fill(kernel_page, true);
    const u64 generation = tlb.generation(), global = tlb.global_generation();
    tlb.flush_pcid();
    EXPECT_FALSE(holds(page));
    EXPECT_TRUE(holds(kernel_page));
    EXPECT_NE(tlb.generation(), generation);
    EXPECT_EQ(tlb.global_generation(), global);
    tlb.select(0);
    EXPECT_TRUE(holds(page));
    tlb.flush_pcid(5);
    EXPECT_TRUE(holds(page));
    tlb.flush_all(false);
    EXPECT_FALSE(holds(page));
    EXPECT_NE(tlb.global_generation(), global);
}

TEST_F(SoftTlbTest, a_page_goes_from_every_pcid)
{
    fill(kernel_page, true);
    tlb.select(5);
    fill(kernel_page, true);
    tlb.flush_page(kernel_page);
    EXPECT_FALSE(holds(kernel_page));
    tlb.select(0);
    EXPECT_FALSE(holds(kernel_page));
}

TEST_F(SoftTlbTest, code_elsewhere_outlives_a_flushed_page)
{
    fill(page, false, Access::fetch);
    fill(kernel_page, true, Access::fetch);
    EXPECT_EQ(tlb.generation_of_code(user(), page), tlb.generation());
    EXPECT_EQ(tlb.generation_of_code(user(), kernel_page), tlb.global_generation());
    const u64 generation = tlb.generation(), global = tlb.global_generation();
    tlb.flush_page(other_page);
    EXPECT_EQ(tlb.generation(), generation);
    EXPECT_EQ(tlb.global_generation(), global);
    tlb.flush_page(page);
    EXPECT_NE(tlb.generation(), generation);
    EXPECT_EQ(tlb.global_generation(), global);
    tlb.flush_page(kernel_page);
    EXPECT_NE(tlb.global_generation(), global);
}

TEST_F(SoftTlbTest, no_page_of_a_program_is_taken_for_the_kernels_code)
{
    fill(kernel_page, true, Access::fetch);
    const u64 global = tlb.generation_of_code(user(), kernel_page);
    for (u64 n = 0; n < 1 << 18; ++n)
        tlb.flush_page(page + n * page_size);
    EXPECT_EQ(tlb.global_generation(), global);
}

TEST_F(SoftTlbTest, a_page_that_became_code_is_written_by_nobody_who_was_away)
{
    fill(page, false, Access::write);
    tlb.select(5);
    tlb.drop_writes_to(host);
    tlb.select(0);
    EXPECT_FALSE(holds(page, Access::write));
}

TEST_F(SoftTlbTest, many_pages_that_became_code_are_written_by_nobody_who_was_away)
{
    fill(page, false, Access::write);
    tlb.select(5);
    for (u64 n = 20; n != 0; --n)
        tlb.drop_writes_to(host + (n - 1) * page_size);
    tlb.select(0);
    EXPECT_FALSE(holds(page, Access::write));
}

TEST_F(SoftTlbTest, coming_back_drops_no_more_than_what_became_code_meanwhile)
{
    fill(page, false, Access::write);
    user().fill(Access::write, other_page, host + page_size, false, false);
    tlb.select(5);
    fill(page, false, Access::write);
    tlb.drop_writes_to(host + page_size);
    tlb.select(0);
    EXPECT_TRUE(holds(page, Access::write));
    EXPECT_FALSE(holds(other_page, Access::write));
    tlb.select(5);
    EXPECT_TRUE(holds(page, Access::write));
}

TEST_F(SoftTlbTest, coming_back_from_a_flush_of_writes_flushes_nobody_else)
{
    fill(page, false, Access::write);
    tlb.select(5);
    tlb.flush_writes();
    fill(page, false, Access::write);
    tlb.select(0);
    EXPECT_FALSE(holds(page, Access::write));
    tlb.select(5);
    EXPECT_TRUE(holds(page, Access::write));
}

TEST_F(SoftTlbTest, the_pcid_used_longest_ago_makes_room)
{
    fill(page);
    for (u16 pcid = 1; pcid < 20; ++pcid) {
        tlb.select(pcid);
        EXPECT_FALSE(holds(page)) << pcid;
        fill(page);
    }
    const u64 generation = tlb.generation();
    tlb.select(0);
    EXPECT_FALSE(holds(page));
    tlb.select(19);
    EXPECT_TRUE(holds(page));
    EXPECT_EQ(tlb.generation(), generation);
}

TEST_F(SoftTlbTest, pages_with_a_key_go_alone_and_from_every_pcid)
{
    fill(page, false, Access::read, true);
    fill(page, false, Access::write, true);
    fill(other_page);
    tlb.select(5);
    fill(page, true, Access::read, true);
    fill(page, false, Access::fetch);
    tlb.drop_keyed();
    EXPECT_FALSE(holds(page));
    EXPECT_TRUE(holds(page, Access::fetch));
    tlb.select(0);
    EXPECT_FALSE(holds(page));
    EXPECT_FALSE(holds(page, Access::write));
    EXPECT_TRUE(holds(other_page));
}

TEST_F(SoftTlbTest, more_pages_with_a_key_than_there_are_entries_go_too)
{
    for (u64 n = 0; n < 2 * SoftTlbContext::entries; ++n)
        fill(page + n * page_size, false, Access::read, true);
    tlb.drop_keyed();
    for (u64 n = 0; n < 2 * SoftTlbContext::entries; ++n)
        EXPECT_FALSE(holds(page + n * page_size));
}

TEST_F(SoftTlbTest, the_context_that_checks_alignment_is_the_users_and_knows_no_windows)
{
    move_window(5, page, host);
    tlb.change_context(&user(), &tlb.checking_context());
    EXPECT_TRUE(tlb.of_user(&tlb.checking_context()));
    EXPECT_TRUE(tlb.checks_alignment(&tlb.checking_context()));
    EXPECT_FALSE(tlb.checks_alignment(&user()));
    EXPECT_EQ(tlb.sites[5].limit, 0u);
}

TEST_F(SoftTlbTest, a_page_takes_the_windows_that_stand_there_along)
{
    move_window(5, page, host);
    move_window(6, other_page, host + page_size);
    tlb.flush_page(page + 8);
    EXPECT_EQ(tlb.sites[5].limit, 0u);
    EXPECT_EQ(tlb.sites[6].limit, 1u);
    // Listed still, it can come back and go again.
    tlb.sites[5].limit = 1;
    tlb.drop_writes_to(host + page_size);
    EXPECT_EQ(tlb.sites[5].limit, 1u);
    EXPECT_EQ(tlb.sites[6].limit, 0u);
}

TEST_F(SoftTlbTest, another_address_space_takes_all_windows)
{
    for (const auto& change : std::initializer_list<std::function<void()>>{
             [&] { tlb.select(5); }, [&] { tlb.flush_pcid(); }, [&] { tlb.flush_all(true); }, [&] { tlb.flush_writes(); }}) {
        move_window(5, page, host);
        move_window(6, other_page, host);
        change();
        EXPECT_EQ(tlb.sites[5].limit, 0u);
        EXPECT_EQ(tlb.sites[6].limit, 0u);
        EXPECT_EQ(tlb.moved_sites, SoftTlb::last_moved);
    }
}

TEST_F(SoftTlbTest, many_windows_go_with_any_page)
{
    for (u32 n = 1; n <= 100; ++n)
        move_window(n, other_page, host);
    tlb.flush_page(page);
    for (u32 n = 1; n <= 100; ++n)
        EXPECT_EQ(tlb.sites[n].limit, 0u);
}

TEST_F(SoftTlbTest, a_forgotten_write_leaves_the_page_readable_and_to_be_flushed)
{
    fill(page);
    fill(other_page);
    fill(page, false, Access::write);
    tlb.forget_write(user(), page);
    EXPECT_TRUE(holds(page));
    EXPECT_FALSE(holds(page, Access::write));
    tlb.flush_all(false);
    EXPECT_FALSE(holds(page));
    EXPECT_FALSE(holds(other_page));
}

// What was flushed in between and filled anew for reading stays known to the next flush.
TEST_F(SoftTlbTest, forgetting_after_a_flush_forgets_no_more)
{
    fill(page, false, Access::write);
    tlb.flush_all(false);
    fill(page);
    tlb.forget_write(user(), page);
    EXPECT_TRUE(holds(page));
    tlb.flush_all(false);
    EXPECT_FALSE(holds(page));
}
