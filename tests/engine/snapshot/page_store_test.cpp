#include "engine/snapshot/page_store.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "engine/snapshot/page_table.h"

namespace engine {

namespace {

const std::string first_id(16, 'a'), second_id(16, 'b');

struct PageStoreTest : testing::Test {
    std::filesystem::path directory = std::filesystem::temp_directory_path() / ("paddock-page-store." + std::to_string(getpid()));
    std::mt19937_64 random{1};

    void SetUp() override { std::filesystem::create_directory(directory); }
    void TearDown() override { std::filesystem::remove_all(directory); }

    std::vector<u8> page()
    {
        std::vector<u8> bytes(page_size);
        for (std::size_t at = 0; at < 512; ++at)
            bytes[at] = u8(random());
        return bytes;
    }
    std::string file(const std::string& id) const { return directory / (id + ".pages"); }
};

TEST_F(PageStoreTest, GivesBackEachPage)
{
    PageStore store(directory);
    ASSERT_TRUE(store.begin(first_id));
    std::vector<std::vector<u8>> pages;
    std::vector<PageRef> refs;
    for (unsigned n = 0; n < 100; ++n) {
        pages.push_back(page());
        refs.push_back(store.add(pages.back().data()).value());
    }
    ASSERT_TRUE(store.finish());
    PageStore again(directory);
    ASSERT_EQ(again.segment_number(first_id).value(), 0u);
    for (PageStore* reader : {&store, &again})
        for (unsigned n = 0; n < pages.size(); ++n) {
            const auto chunk = reader->read(refs[n]);
            ASSERT_TRUE(chunk) << chunk.error().text();
            EXPECT_EQ(std::memcmp(chunk.value()->page(slot_of(refs[n])), pages[n].data(), page_size), 0);
        }
}

// Whoever frees space does so without asking a store that is open elsewhere.
TEST_F(PageStoreTest, WritesAgainWhatWasFreedMeanwhile)
{
    PageStore store(directory);
    const auto gone = page(), punched = page(), kept = page();
    const auto write = [&](const std::string& id, const std::vector<u8>& bytes) {
        EXPECT_TRUE(store.begin(id));
        const PageRef ref = store.add(bytes.data()).value();
        EXPECT_TRUE(store.finish());
        return ref;
    };
    const std::string third_id(16, 'c'), fourth_id(16, 'd');
    write(first_id, gone);
    write(second_id, punched);
    const PageRef old = write(third_id, kept);
    // The host's clock for files takes steps of some milliseconds.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    std::filesystem::remove(file(first_id));
    const FileDescriptor segment{::open(file(second_id).c_str(), O_RDWR)};
    ASSERT_EQ(::fallocate(segment.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 48, 4096), 0);
    ASSERT_TRUE(store.begin(fourth_id));
    const PageRef one = store.add(gone.data()).value(), two = store.add(punched.data()).value();
    EXPECT_EQ(store.segment_id(segment_of(one)), fourth_id);
    EXPECT_EQ(store.segment_id(segment_of(two)), fourth_id);
    EXPECT_EQ(store.add(kept.data()).value(), old);
    ASSERT_TRUE(store.finish());
    PageStore again(directory);
    const u32 number = again.segment_number(fourth_id).value();
    const auto chunk = again.read(make_ref(number, offset_of(one), slot_of(one)));
    ASSERT_TRUE(chunk) << chunk.error().text();
    EXPECT_EQ(std::memcmp(chunk.value()->page(slot_of(one)), gone.data(), page_size), 0);
}

TEST_F(PageStoreTest, StoresZeroesNowhereAndEqualPagesOnce)
{
    PageStore store(directory);
    ASSERT_TRUE(store.begin(first_id));
    const std::vector<u8> zeroes(page_size), one = page();
    EXPECT_EQ(store.add(zeroes.data()).value(), 0u);
    const PageRef ref = store.add(one.data()).value();
    EXPECT_EQ(store.add(one.data()).value(), ref);
    for (unsigned n = 0; n < 40; ++n)
        store.add(page().data()).value();
    EXPECT_EQ(store.add(one.data()).value(), ref);
    ASSERT_TRUE(store.finish());
    ASSERT_TRUE(store.begin(second_id));
    EXPECT_EQ(store.add(one.data()).value(), ref);
    ASSERT_TRUE(store.finish());
}

TEST_F(PageStoreTest, KnowsPagesOfAnEarlierProcessOnceItHasLearntThem)
{
    const auto one = page();
    PageRef ref = 0;
    {
        PageStore store(directory);
        ASSERT_TRUE(store.begin(first_id));
        ref = store.add(one.data()).value();
        ASSERT_TRUE(store.finish());
    }
    PageStore store(directory);
    ASSERT_TRUE(store.segment_number(first_id));
    store.learn(ref);
    ASSERT_TRUE(store.begin(second_id));
    EXPECT_EQ(store.add(one.data()).value(), ref);
    ASSERT_TRUE(store.finish());
}

TEST_F(PageStoreTest, LeavesNothingBehindWhenItGivesUp)
{
    PageStore store(directory);
    ASSERT_TRUE(store.begin(first_id));
    const auto one = page();
    ASSERT_TRUE(store.add(one.data()));
    store.abandon();
    EXPECT_FALSE(std::filesystem::exists(file(first_id)));
    ASSERT_TRUE(store.begin(second_id));
    EXPECT_EQ(segment_of(store.add(one.data()).value()), 1u);
    ASSERT_TRUE(store.finish());
}

TEST_F(PageStoreTest, TakesBackWhatWasFinishedAndForgetsItsPages)
{
    PageStore store(directory);
    ASSERT_TRUE(store.begin(first_id));
    const auto one = page();
    const PageRef ref = store.add(one.data()).value();
    ASSERT_TRUE(store.finish());
    ASSERT_TRUE(store.read(ref));
    store.abandon();
    EXPECT_FALSE(std::filesystem::exists(file(first_id)));
    EXPECT_FALSE(store.read(ref));
    ASSERT_TRUE(store.begin(second_id));
    EXPECT_EQ(segment_of(store.add(one.data()).value()), 1u);
    ASSERT_TRUE(store.finish());
}

TEST_F(PageStoreTest, NoticesEveryFlippedByteOfAChunk)
{
    PageRef ref = 0;
    {
        PageStore store(directory);
        ASSERT_TRUE(store.begin(first_id));
        ref = store.add(page().data()).value();
        ASSERT_TRUE(store.finish());
    }
    std::ifstream in(file(first_id), std::ios::binary);
    const std::string good{std::istreambuf_iterator<char>(in), {}};
    const std::size_t meaningful = 36;    // then 12 bytes without one, up to the chunk
    for (std::size_t at = 0; at + 16 < good.size(); ++at) {
        if (at == meaningful)
            at = 48;
        std::string bad = good;
        bad[at] = char(bad[at] ^ 0x10);
        std::ofstream(file(first_id), std::ios::binary) << bad;
        PageStore store(directory);
        ASSERT_TRUE(store.segment_number(first_id));
        EXPECT_FALSE(store.read(ref)) << at;
    }
}

TEST_F(PageStoreTest, RefusesReferencesToNothing)
{
    PageStore store(directory);
    ASSERT_TRUE(store.begin(first_id));
    const PageRef ref = store.add(page().data()).value();
    ASSERT_TRUE(store.finish());
    EXPECT_FALSE(store.read(ref + 1));
    EXPECT_FALSE(store.read(make_ref(0, offset_of(ref) + 16, 0)));
    EXPECT_FALSE(store.read(make_ref(0, u64(1) << 40, 0)));
    EXPECT_FALSE(store.read(make_ref(7, 48, 0)));
    EXPECT_EQ(store.chunk_length(make_ref(7, 48, 0)), 0u);
}

TEST_F(PageStoreTest, PacksTablesWithTheSegmentsTheyName)
{
    PageStore store(directory);
    ASSERT_TRUE(store.segment_number(second_id));
    const u32 segment = store.segment_number(first_id).value();
    PageTable table(100);
    for (u64 page = 10; page < 26; ++page)
        table[page] = make_ref(segment, 48, unsigned(page - 10));
    table[99] = make_ref(segment, 4800, 3);
    SegmentList list(store);
    const auto packed = pack_pages(table, list);
    EXPECT_LT(packed.size(), 80u);
    EXPECT_EQ(list.numbers(), std::vector<u32>{segment});
    auto read_list = SegmentList::unpack(list.pack(), store, "a file");
    ASSERT_TRUE(read_list);
    const auto read = unpack_pages(packed, *read_list, 100, "a file");
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_TRUE(std::equal(table.begin(), table.end(), read.value().begin(), read.value().end()));
    EXPECT_FALSE(unpack_pages(packed, *read_list, 99, "a file"));
    for (std::size_t size = 0; size < packed.size(); ++size)
        EXPECT_FALSE(unpack_pages(std::span(packed).first(size), *read_list, 100, "a file"));
}

}

}
