// What is found out about the blocks that time is spent in, and about their windows.
#include "engine/translator/busy_blocks.h"

#include <chrono>
#include <set>

#include <gtest/gtest.h>

#include "engine/translator/runtime/sampler.h"
#include "engine/translator/site_windows.h"

using namespace engine;
using namespace engine::translator;
using x86::Access;

namespace {

class BusyBlocksTest : public ::testing::Test {
protected:
    x86::Block& keep(u64 host)
    {
        struct {
            x86::Block head{};
            std::array<u8, 64> bytes{};
        } with_bytes;
        with_bytes.head.host = host;
        with_bytes.head.length = 1;
        return *blocks.keep(with_bytes.head);
    }

    x86::KeptBlocks blocks{1 << 16};
    BusyBlocks busy{blocks};
    SiteWindows windows;
    x86::SoftTlb tlb;
};

}

TEST_F(BusyBlocksTest, an_address_belongs_to_the_block_that_begins_before_it)
{
    constexpr u32 far = 5 << 20;
    x86::Block &first = keep(0x1000), &second = keep(0x2000);
    busy.placed(0x400, second);
    busy.placed(0x100, first);
    busy.placed(far, first);
    EXPECT_EQ(busy.seen(0x80), nullptr);
    EXPECT_EQ(busy.seen(0x100), &first);
    EXPECT_EQ(busy.seen(0x3ff), &first);
    EXPECT_EQ(busy.seen(0x400), &second);
    EXPECT_EQ(busy.seen(far + 1), &first);
    EXPECT_EQ(busy.seen(far - 1), nullptr);
    EXPECT_EQ(busy.seen(~u32(0)), nullptr);
    EXPECT_EQ(busy.samples_of(first), 3u);
    EXPECT_EQ(busy.samples_of(second), 1u);
}

TEST_F(BusyBlocksTest, samples_count_for_a_period_and_busy_ones_stay_so)
{
    x86::Block& block = keep(0x1000);
    busy.placed(0, block);
    busy.seen(1);
    EXPECT_TRUE(busy.make_busy(block));
    EXPECT_FALSE(busy.make_busy(block));
    while (!busy.period_begins())
        busy.seen(1);
    EXPECT_EQ(busy.samples_of(block), 1u);
    EXPECT_TRUE(busy.is_busy(block));
    busy.clear();
    EXPECT_FALSE(busy.is_busy(block));
    EXPECT_EQ(busy.seen(1), nullptr);
}

TEST_F(BusyBlocksTest, an_access_keeps_its_window_until_it_is_missed_too_often)
{
    const x86::Block& block = keep(0x1000);
    const unsigned read = windows.of(block, 3, Access::read, false), write = windows.of(block, 3, Access::write, false);
    const unsigned in_loop = windows.of(block, 4, Access::read, true);
    EXPECT_NE(read, 0u);
    EXPECT_NE(read, write);
    EXPECT_EQ(windows.of(block, 3, Access::read, false), read);
    tlb.sites[read].missed = tlb.sites[in_loop].missed = x86::TlbWindow::most_misses;
    tlb.sites[write].missed = 1;
    EXPECT_TRUE(windows.give_up(block, 1, tlb));
    EXPECT_FALSE(windows.give_up(block, 1, tlb));
    EXPECT_EQ(windows.of(block, 3, Access::read, false), 0u);
    EXPECT_EQ(windows.of(block, 3, Access::write, false), write);
    EXPECT_EQ(windows.of(block, 4, Access::read, true), in_loop);
}

TEST_F(BusyBlocksTest, loops_of_programs_and_of_the_kernel_share_no_windows)
{
    std::array<unsigned, x86::SoftTlb::shared_windows> kinds{};
    for (unsigned n = 0; n < 1000; ++n)
        for (unsigned kind = 0; kind < 4; ++kind)
            kinds.at(windows.shared(kind & 2, kind & 1 ? Access::write : Access::read)) |= 1u << kind;
    EXPECT_EQ(kinds[0], 0u);
    for (const unsigned kind : kinds)
        EXPECT_EQ(kind & (kind - 1), 0u);
    EXPECT_GE(windows.of(keep(0x1000), 0, Access::read, true), x86::SoftTlb::shared_windows);
}

TEST_F(BusyBlocksTest, there_are_only_so_many_windows)
{
    constexpr unsigned insns = x86::Block::most_insns, number = x86::SoftTlb::site_windows / insns + 1;
    unsigned last = 0;
    for (unsigned n = 0; n < number; ++n)
        for (unsigned insn = 0; insn < insns; ++insn)
            last = windows.of(keep(0x1000 + n), insn, Access::read, false);
    EXPECT_EQ(last, 0u);
    windows.clear();
    EXPECT_NE(windows.of(keep(0x1000), 0, Access::read, false), 0u);
}

TEST_F(BusyBlocksTest, a_page_of_code_has_a_window_for_each_page_that_it_looks_at)
{
    const unsigned window = windows.of_page(0x1000, 1, 0x2000, Access::read);
    EXPECT_EQ(windows.of_page(0x1000, 1, 0x2000, Access::read), window);
    std::set<unsigned> all{0, window};
    all.insert(windows.of_page(0x3000, 1, 0x2000, Access::read));
    all.insert(windows.of_page(0x1000, 2, 0x2000, Access::read));
    all.insert(windows.of_page(0x1000, 1, -0x2000, Access::read));
    all.insert(windows.of_page(0x1000, 1, 0x2000, Access::write));
    EXPECT_EQ(all.size(), 6u);
    for (u64 page = 0; page < SiteWindows::page_windows; ++page)
        windows.of_page(0x10000 + (page << page_shift), 1, 0, Access::read);
    EXPECT_EQ(windows.of_page(0x1000, 3, 0, Access::read), 0u);
    EXPECT_EQ(windows.of_page(0x1000, 1, 0x2000, Access::read), window);
    EXPECT_FALSE(all.contains(windows.of(keep(0x1000), 0, Access::read, false)));
    windows.clear();
    EXPECT_NE(windows.of_page(0x1000, 3, 0, Access::read), 0u);
}

// Code of the program itself stands for host code.
TEST(SamplerTest, a_busy_thread_is_found_where_it_is)
{
    const u8* const everywhere = nullptr;
    Sampler sampler({everywhere, ~std::size_t(0)});
    for (unsigned turn = 0; turn < 3; ++turn) {
        sampler.start();
        while (!sampler.any()) { }
        for (const u64 address : sampler.take())
            EXPECT_NE(address, 0u);
        EXPECT_FALSE(sampler.any());
    }
}

TEST(SamplerTest, what_is_not_host_code_is_not_told)
{
    constexpr u8 code[1]{};
    Sampler sampler(code);
    sampler.start();
    // Some of the timer's periods of a few milliseconds.
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    while (std::chrono::steady_clock::now() < end && !sampler.any()) { }
    EXPECT_FALSE(sampler.any());
}
