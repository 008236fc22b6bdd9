// What is found out about the blocks that time is spent in, and about their windows.
#include "engine/translator/busy_blocks.h"

#include <chrono>
#include <set>

#include <gtest/gtest.h>

#include "engine/memory/memory_block.h"
#include "engine/translator/sampler.h"
#include "engine/translator/site_windows.h"

using namespace engine;
using namespace engine::translator;
using x86::Access;
using x86::WindowUse;

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
        with_bytes.head.memory = memory.get();
        with_bytes.head.length = 1;
        return *blocks.keep(with_bytes.head).block;
    }

    std::unique_ptr<MemoryBlock> memory = std::move(*MemoryBlock::create("ram", page_size));
    x86::KeptBlocks blocks{1 << 16, 2};
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
    EXPECT_EQ(busy.seen(0x80, 1), nullptr);
    EXPECT_EQ(busy.seen(0x100, 1), &first);
    EXPECT_EQ(busy.seen(0x3ff, 1), &first);
    EXPECT_EQ(busy.seen(0x400, 1), &second);
    EXPECT_EQ(busy.seen(far + 1, 1), &first);
    EXPECT_EQ(busy.seen(far - 1, 1), nullptr);
    EXPECT_EQ(busy.seen(~u32(0), 1), nullptr);
    EXPECT_EQ(busy.samples_of(first), 3u);
    EXPECT_EQ(busy.samples_of(second), 1u);
}

TEST_F(BusyBlocksTest, samples_count_for_a_period_and_busy_ones_stay_so)
{
    x86::Block& block = keep(0x1000);
    busy.placed(0, block);
    busy.seen(1, 1);
    EXPECT_TRUE(busy.make_busy(block));
    EXPECT_FALSE(busy.make_busy(block));
    while (!busy.period_begins())
        busy.seen(1, 1);
    EXPECT_EQ(busy.samples_of(block), 1u);
    EXPECT_TRUE(busy.is_busy(block));
    busy.clear();
    EXPECT_FALSE(busy.is_busy(block));
    EXPECT_EQ(busy.seen(1, 1), nullptr);
}

TEST_F(BusyBlocksTest, what_is_known_of_a_block_moves_with_it)
{
    const x86::Block& before = keep(0x1000);
    busy.make_busy(before);
    const unsigned window = windows.of(before, 3, Access::read, WindowUse::access);
    blocks.fill(1);
    const x86::Block& after = keep(0x1000);
    ASSERT_NE(&before, &after);
    EXPECT_TRUE(blocks.holds(0, before));
    EXPECT_TRUE(blocks.holds(1, after));
    EXPECT_EQ(blocks.find(0x1000, 0), &after);
    busy.move(before, after);
    windows.move(before, after);
    EXPECT_FALSE(busy.is_busy(before));
    EXPECT_TRUE(busy.is_busy(after));
    EXPECT_EQ(windows.of(after, 3, Access::read, WindowUse::access), window);
}

TEST_F(BusyBlocksTest, windows_of_a_block_that_is_gone_are_had_again_when_all_have_forgotten_them)
{
    const x86::Block &gone = keep(0x1000), &other = keep(0x2000);
    const unsigned window = windows.of(gone, 3, Access::read, WindowUse::access);
    tlb.sites[window].missed = x86::TlbWindow::most_misses;
    EXPECT_TRUE(windows.give_up(gone, 100, tlb));
    windows.forget(gone);
    EXPECT_NE(windows.of(other, 3, Access::write, WindowUse::access), window);
    windows.reuse();
    EXPECT_EQ(windows.of(other, 4, Access::write, WindowUse::access), window);
}

TEST_F(BusyBlocksTest, a_segment_is_given_up_by_and_by)
{
    constexpr unsigned count = 5;
    for (unsigned n = 1; n <= count; ++n)
        keep(n << page_shift);
    blocks.fill(1);
    keep(8 << page_shift);
    unsigned visited = 0;
    const auto visit = [&](const x86::Block& block) {
        ++visited;
        EXPECT_EQ(blocks.find(block.host, 0), nullptr);
    };
    EXPECT_FALSE(blocks.give_up(0, 3, visit));
    EXPECT_EQ(visited, 3u);
    EXPECT_NE(blocks.find(count << page_shift, 0), nullptr);
    EXPECT_TRUE(blocks.give_up(0, 3, visit));
    EXPECT_EQ(visited, count);
    EXPECT_NE(blocks.find(8 << page_shift, 0), nullptr);
    blocks.clear(0);
    blocks.fill(0);
    EXPECT_TRUE(blocks.holds(0, keep(0x1000)));
}

TEST_F(BusyBlocksTest, places_that_are_used_again_are_others)
{
    x86::Block &first = keep(0x1000), &second = keep(0x2000);
    constexpr u32 far = 5 << 20;
    busy.placed(0x100, first);
    busy.placed(0x200, second);
    busy.placed(far, second);
    busy.clear(0x200, far + 1);
    EXPECT_EQ(busy.seen(0x200, 1), &first);
    EXPECT_EQ(busy.seen(far, 1), nullptr);
    busy.placed(0x180, second);
    EXPECT_EQ(busy.seen(0x200, 1), &second);
}

TEST_F(BusyBlocksTest, an_access_keeps_its_window_until_it_is_missed_too_often)
{
    const x86::Block& block = keep(0x1000);
    const unsigned read = windows.of(block, 3, Access::read, WindowUse::access),
                   write = windows.of(block, 3, Access::write, WindowUse::access);
    const unsigned in_loop = windows.of(block, 4, Access::read, WindowUse::loop);
    EXPECT_NE(read, 0u);
    EXPECT_NE(read, write);
    EXPECT_EQ(windows.of(block, 3, Access::read, WindowUse::access), read);
    tlb.sites[read].missed = tlb.sites[in_loop].missed = x86::TlbWindow::most_misses;
    tlb.sites[write].missed = 1;
    EXPECT_TRUE(windows.give_up(block, 1, tlb));
    EXPECT_FALSE(windows.give_up(block, 1, tlb));
    EXPECT_EQ(windows.of(block, 3, Access::read, WindowUse::access), 0u);
    EXPECT_EQ(windows.of(block, 3, Access::write, WindowUse::access), write);
    EXPECT_EQ(windows.of(block, 4, Access::read, WindowUse::loop), in_loop);
}

TEST_F(BusyBlocksTest, misses_are_weighed_by_the_time_of_the_samples)
{
    const x86::Block& block = keep(0x1000);
    constexpr u32 misses = 5000;
    tlb.sites[windows.of(block, 3, Access::read, WindowUse::access)].missed = misses;
    EXPECT_FALSE(windows.give_up(block, 2, tlb));
    EXPECT_TRUE(windows.give_up(block, 1, tlb));
}

TEST_F(BusyBlocksTest, a_chain_keeps_its_window_through_more_misses_but_not_through_any)
{
    const x86::Block& block = keep(0x1000);
    const unsigned access = windows.of(block, 3, Access::read, WindowUse::access);
    const unsigned chain = windows.of(block, 4, Access::read, WindowUse::chain);
    tlb.sites[access].missed = tlb.sites[chain].missed = x86::TlbWindow::most_misses;
    EXPECT_TRUE(windows.give_up(block, 200, tlb));
    EXPECT_EQ(windows.of(block, 3, Access::read, WindowUse::access), 0u);
    EXPECT_EQ(windows.of(block, 4, Access::read, WindowUse::chain), chain);
    tlb.sites[chain].missed = 1000 * x86::TlbWindow::most_misses;
    EXPECT_TRUE(windows.give_up(block, 200, tlb));
    EXPECT_EQ(windows.of(block, 4, Access::read, WindowUse::chain), 0u);
}

TEST_F(BusyBlocksTest, a_block_is_weighed_by_its_samples)
{
    x86::Block& block = keep(0x1000);
    busy.placed(0x100, block);
    busy.seen(0x100, 1);
    busy.seen(0x100, 8);
    EXPECT_EQ(busy.samples_of(block), 2u);
    EXPECT_EQ(busy.weight_of(block), 9u);
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
    EXPECT_GE(windows.of(keep(0x1000), 0, Access::read, WindowUse::loop), x86::SoftTlb::shared_windows);
}

TEST_F(BusyBlocksTest, there_are_only_so_many_windows)
{
    constexpr unsigned insns = x86::Block::most_insns, number = x86::SoftTlb::site_windows / insns + 1;
    unsigned last = 0;
    for (unsigned n = 0; n < number; ++n)
        for (unsigned insn = 0; insn < insns; ++insn)
            last = windows.of(keep(0x1000 + n), insn, Access::read, WindowUse::access);
    EXPECT_EQ(last, 0u);
    windows.clear();
    EXPECT_NE(windows.of(keep(0x1000), 0, Access::read, WindowUse::access), 0u);
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
    EXPECT_FALSE(all.contains(windows.of(keep(0x1000), 0, Access::read, WindowUse::access)));
}

TEST_F(BusyBlocksTest, pages_of_programs_and_of_the_kernel_share_no_windows)
{
    std::vector<unsigned> kinds(x86::SoftTlb::site_windows);
    for (u64 page = 0; page < 2 * u64(SiteWindows::page_windows); ++page)
        for (unsigned kind = 0; kind < 4; ++kind) {
            const u32 mode = x86::mode_64 | (kind & 2 ? u32(x86::mode_user) : 0);
            kinds.at(windows.of_page(page << page_shift, mode, 0, kind & 1 ? Access::write : Access::read)) |= 1u << kind;
        }
    for (const unsigned kind : kinds)
        EXPECT_EQ(kind & (kind - 1), 0u);
    EXPECT_EQ(kinds[0], 0u);
    EXPECT_EQ(kinds[windows.of(keep(0x1000), 0, Access::read, WindowUse::access)], 0u);
}

// Code of the program itself stands for host code.
TEST(SamplerTest, a_busy_thread_is_found_where_it_is)
{
    const u8* const everywhere = nullptr;
    x86::Requests requests;
    Sampler sampler({everywhere, ~std::size_t(0)}, requests);
    for (unsigned turn = 0; turn < 3; ++turn) {
        sampler.start();
        while (!sampler.any()) { }
        for (const u64 address : sampler.take())
            EXPECT_NE(address, 0u);
        EXPECT_FALSE(sampler.any());
        EXPECT_EQ(requests.take(), u32(x86::request_samples));
    }
}

TEST(SamplerTest, what_is_not_host_code_is_not_told)
{
    constexpr u8 code[1]{};
    x86::Requests requests;
    Sampler sampler(code, requests);
    sampler.start();
    // Some of the timer's periods of a few milliseconds.
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    while (std::chrono::steady_clock::now() < end && !sampler.any()) { }
    EXPECT_FALSE(sampler.any());
    EXPECT_EQ(requests.pending(), 0u);
}
