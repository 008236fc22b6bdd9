#include "engine/snapshot/memory_keeper.h"

#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <random>
#include <thread>

#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "engine/base/bits.h"
#include "engine/snapshot/memory_source.h"

namespace engine {

namespace {

struct MemoryKeeperTest : testing::Test {
    std::filesystem::path directory = std::filesystem::temp_directory_path() / ("paddock-keeper." + std::to_string(getpid()));
    std::unique_ptr<MemoryBlock> ram = std::move(*MemoryBlock::create("RAM", 256 * page_size));
    std::unique_ptr<PageStore> store;
    unsigned snapshots = 0;

    void SetUp() override
    {
        std::filesystem::create_directory(directory);
        store = std::make_unique<PageStore>(directory);
    }
    void TearDown() override { std::filesystem::remove_all(directory); }

    void write(u64 page, u64 value)
    {
        ram->before_write(page);
        store_le<u64>(ram->data() + page * page_size + 8 * (value % 100), value);
        ram->written(page * page_size, page_size);
    }
    std::vector<u8> content() const { return {ram->data(), ram->data() + ram->size()}; }
    u64 begin()
    {
        std::string id = hex_id(++snapshots);
        EXPECT_TRUE(store->begin(id));
        return snapshots;
    }
    static std::string hex_id(unsigned n)
    {
        std::string id = std::to_string(n);
        return std::string(16 - id.size(), '0') + id;
    }
    Result<SharedTables> save(MemoryKeeper& keeper)
    {
        auto tables = keeper.save(*store, {});
        EXPECT_TRUE(tables);
        EXPECT_TRUE(store->finish());
        keeper.accept(*tables);
        return tables;
    }
    std::vector<u8> read(const SharedTables& tables)
    {
        std::vector<u8> bytes(ram->size());
        const PageTable& table = tables->at("RAM");
        for (u64 page = 0; page < table.size(); ++page)
            if (table[page]) {
                const auto chunk = store->read(table[page]);
                EXPECT_TRUE(chunk);
                std::memcpy(&bytes[page * page_size], chunk.value()->page(slot_of(table[page])), page_size);
            }
        return bytes;
    }
};

// Two threads that write without pause, but while somebody holds `stop_the_world`.
class RestlessWriters {
public:
    using Write = std::function<void(unsigned writer, u64 page, u64 value)>;
    explicit RestlessWriters(Write write) : write_(std::move(write))
    {
        for (unsigned n = 0; n < 2; ++n)
            threads_.emplace_back([this, n](const std::stop_token& stop) {
                std::mt19937_64 random(n);
                while (!stop.stop_requested()) {
                    const std::lock_guard lock(stop_the_world);
                    for (unsigned burst = 0; burst < 50; ++burst) {
                        const u64 page = random() % 256;
                        write_(n, page, random());
                    }
                }
            });
    }

    std::mutex stop_the_world;

private:
    Write write_;
    std::vector<std::jthread> threads_;
};

TEST_F(MemoryKeeperTest, SavesWhatMemoryHeldAtTheInstantThoughItIsWrittenMeanwhile)
{
    MemoryKeeper keeper({ram.get()});
    for (u64 page = 0; page < 200; page += 2)
        write(page, page + 1);
    const auto before = content();
    keeper.freeze();
    begin();
    for (u64 page = 0; page < 256; page += 3)
        write(page, page + 1000);
    const auto tables = save(keeper);
    ASSERT_TRUE(tables);
    keeper.release();
    EXPECT_EQ(read(tables.value()), before);
}

TEST_F(MemoryKeeperTest, LooksOnlyAtWhatChangedTheSecondTime)
{
    MemoryKeeper keeper({ram.get()});
    for (u64 page = 0; page < 256; ++page)
        write(page, page + 1);
    keeper.freeze();
    begin();
    ASSERT_TRUE(save(keeper));
    const u64 first = std::filesystem::file_size(directory / (hex_id(snapshots) + ".pages"));
    keeper.release();
    write(17, 5);
    write(80, 6);
    EXPECT_TRUE(keeper.changed(0, 17));
    EXPECT_FALSE(keeper.changed(0, 18));
    const auto before = content();
    keeper.freeze();
    begin();
    write(80, 7);
    write(81, 8);
    const auto tables = save(keeper);
    ASSERT_TRUE(tables);
    EXPECT_EQ(keeper.copies(), 1u);
    EXPECT_LT(std::filesystem::file_size(directory / (hex_id(snapshots) + ".pages")), first / 10);
    keeper.release();
    EXPECT_EQ(read(tables.value()), before);
}

TEST_F(MemoryKeeperTest, KeepsEveryInstantWhileThreadsWriteWithoutPause)
{
    for (const std::size_t pool : {std::size_t(4), MemoryKeeper::usual_pool}) {
        MemoryKeeper keeper({ram.get()}, MemoryKeeper::Writers::told, pool);
        RestlessWriters writers([this](unsigned, u64 page, u64 value) { write(page, value); });
        for (unsigned n = 0; n < 10; ++n) {
            std::vector<u8> before;
            {
                const std::lock_guard lock(writers.stop_the_world);
                before = content();
                keeper.freeze();
            }
            begin();
            const auto tables = save(keeper);
            ASSERT_TRUE(tables);
            keeper.release();
            EXPECT_EQ(read(tables.value()), before);
        }
    }
}

// Writers that ask nobody, and a log of what they wrote that is read now and then.
struct LoggedWritersTest : MemoryKeeperTest {
    std::mutex log_mutex;
    std::vector<u64> log;

    void write_unasked(u64 page, u64 value)
    {
        const std::lock_guard lock(log_mutex);
        log.push_back(page);
        store_le<u64>(ram->data() + page * page_size + 8 * (value % 100), value);
    }
    void read_log()
    {
        const std::lock_guard lock(log_mutex);
        for (const u64 page : log)
            ram->note_written(page);
        log.clear();
    }
    MemoryKeeper::ReadLog reader()
    {
        return [this](const std::function<void()>& then) {
            read_log();
            then();
        };
    }
};

TEST_F(LoggedWritersTest, AreCopiedAheadAndCaughtUpWithAtTheInstant)
{
    MemoryKeeper keeper({ram.get()}, MemoryKeeper::Writers::logged);
    for (u64 page = 0; page < 200; page += 2)
        write_unasked(page, page + 1);
    begin();
    ASSERT_TRUE(keeper.copy_ahead(*store, reader(), {}));
    write_unasked(4, 1000);
    write_unasked(201, 1001);
    write(202, 1002);    // a device does ask
    read_log();
    const auto before = content();
    EXPECT_EQ(keeper.freeze(), MemoryKeeper::Writing::goes_on);
    EXPECT_EQ(keeper.copies(), 3u);
    for (u64 page = 0; page < 256; page += 3)
        write_unasked(page, page + 2000);
    const auto tables = save(keeper);
    keeper.release();
    EXPECT_EQ(read(tables.value()), before);

    // The child holds what was written since.
    begin();
    ASSERT_TRUE(keeper.copy_ahead(*store, reader(), {}));
    read_log();
    const auto later = content();
    EXPECT_EQ(keeper.freeze(), MemoryKeeper::Writing::goes_on);
    EXPECT_EQ(keeper.copies(), 0u);
    const auto child = save(keeper);
    keeper.release();
    EXPECT_EQ(read(child.value()), later);
    for (u64 page = 0; page < 256; ++page)
        EXPECT_EQ(child.value()->at("RAM")[page] == tables.value()->at("RAM")[page], page % 3 != 0) << page;
}

TEST_F(LoggedWritersTest, WaitWhereThePoolIsTooSmallOrNothingWasCopied)
{
    MemoryKeeper keeper({ram.get()}, MemoryKeeper::Writers::logged, 4);
    for (const bool ahead : {true, false}) {
        for (u64 page = 0; page < 256; page += 2)
            write_unasked(page, page + 1);
        begin();
        if (ahead) {
            ASSERT_TRUE(keeper.copy_ahead(*store, reader(), {}));
        }
        for (u64 page = 0; page < 50; page += 3)
            write_unasked(page, page + 3000 + ahead);
        read_log();
        const auto before = content();
        EXPECT_EQ(keeper.freeze(), MemoryKeeper::Writing::waits);
        const auto tables = save(keeper);
        keeper.release();
        EXPECT_EQ(read(tables.value()), before);
    }
}

TEST_F(LoggedWritersTest, AreSavedAsTheyWereThoughTheyNeverPause)
{
    for (const std::size_t pool : {std::size_t(64), MemoryKeeper::usual_pool}) {
        MemoryKeeper keeper({ram.get()}, MemoryKeeper::Writers::logged, pool);
        RestlessWriters writers(
            [this](unsigned writer, u64 page, u64 value) { writer ? write_unasked(page, value) : write(page, value); });
        for (unsigned n = 0; n < 10; ++n) {
            begin();
            ASSERT_TRUE(keeper.copy_ahead(*store, reader(), {}));
            std::unique_lock lock(writers.stop_the_world);
            read_log();
            const auto before = content();
            if (keeper.freeze() == MemoryKeeper::Writing::goes_on)
                lock.unlock();
            const auto tables = save(keeper);
            ASSERT_TRUE(tables);
            keeper.release();
            EXPECT_EQ(read(tables.value()), before);
        }
    }
}

struct TouchedWithoutAskingTest : LoggedWritersTest {
    MemoryKeeper keeper{{ram.get()}, MemoryKeeper::Writers::logged};
    std::unique_ptr<MemorySource> source;

    SharedTables snapshot()
    {
        begin();
        EXPECT_TRUE(keeper.copy_ahead(*store, reader(), {}));
        keeper.freeze();
        const auto tables = save(keeper).value();
        keeper.release();
        return tables;
    }
    void go_back_to(const SharedTables& tables)
    {
        const auto held = source->hold();
        read_log();
        for (u64 page = 0; page < 256; ++page)
            if (keeper.changed(0, page) || keeper.base()->at("RAM")[page] != tables->at("RAM")[page])
                ram->set_missing(page);
        source->set_tables(tables);
        keeper.set_base(tables);
    }
    bool all_there() const
    {
        for (u64 page = 0; page < 256; ++page)
            if (ram->written_in(page) == MemoryBlock::missing)
                return false;
        return true;
    }
};

TEST_F(TouchedWithoutAskingTest, PagesComeAllTheSame)
{
    if (!PageFaults::open())
        GTEST_SKIP() << "This user may not have the kernel's page faults";
    source
        = std::make_unique<MemorySource>(std::vector<MemoryBlock*>{ram.get()}, *store, nullptr, MemorySource::Accessors::kernel);
    for (u64 page = 0; page < 200; page += 2)
        write_unasked(page, page + 1);
    const auto first = content();
    const auto tables = snapshot();
    for (u64 page = 0; page < 256; ++page)
        write_unasked(page, 77);
    const auto second = content();
    const auto child = snapshot();

    go_back_to(tables);
    ASSERT_TRUE(source->comes_when_touched(0));
    EXPECT_EQ(std::memcmp(ram->data() + 4 * page_size, &first[4 * page_size], page_size), 0);
    EXPECT_TRUE(is_zero_page(ram->data() + 5 * page_size));
    EXPECT_FALSE(all_there());
    // The kernel itself, reading and writing.
    const FileDescriptor file{memfd_create("copy", MFD_CLOEXEC)};
    ASSERT_EQ(pwrite(file.get(), ram->data() + 150 * page_size, page_size, 0), ssize_t(page_size));
    EXPECT_EQ(pread(file.get(), ram->data() + 100 * page_size + 8, 16, 0), 16);
    EXPECT_EQ(std::memcmp(ram->data() + 100 * page_size + 8, &first[150 * page_size], 16), 0);
    EXPECT_EQ(load_le<u64>(ram->data() + 100 * page_size), load_le<u64>(&first[100 * page_size]));
    std::memcpy(ram->data() + 100 * page_size, &first[100 * page_size], page_size);
    EXPECT_EQ(content(), first);

    // What was written to pages that came late is what the next child holds beside its base.
    go_back_to(child);
    write_unasked(9, 9);
    write(11, 9);
    source->start();
    while (!all_there())
        std::this_thread::yield();
    auto expected = second;
    for (const u64 page : {9, 11})
        store_le<u64>(&expected[page * page_size + 8 * 9], 9);
    EXPECT_EQ(content(), expected);
    const auto grandchild = snapshot();
    EXPECT_EQ(read(grandchild), expected);
    for (u64 page = 0; page < 256; ++page)
        EXPECT_EQ(grandchild->at("RAM")[page] == child->at("RAM")[page], page != 9 && page != 11) << page;
}

TEST_F(TouchedWithoutAskingTest, EverythingIsBroughtInWhereItCannotCome)
{
    PageFaults::forbid(true);
    source
        = std::make_unique<MemorySource>(std::vector<MemoryBlock*>{ram.get()}, *store, nullptr, MemorySource::Accessors::kernel);
    for (u64 page = 0; page < 200; page += 2)
        write_unasked(page, page + 1);
    const auto first = content();
    const auto tables = snapshot();
    for (u64 page = 0; page < 256; ++page)
        write_unasked(page, 77);
    go_back_to(tables);
    PageFaults::forbid(false);
    ASSERT_FALSE(source->comes_when_touched(0));
    EXPECT_TRUE(source->bring_all(0));
    EXPECT_EQ(content(), first);
}

TEST_F(LoggedWritersTest, AreRememberedAcrossASnapshotThatFailed)
{
    MemoryKeeper keeper({ram.get()}, MemoryKeeper::Writers::logged);
    write_unasked(1, 1);
    begin();
    ASSERT_TRUE(keeper.copy_ahead(*store, reader(), {}));
    keeper.freeze();
    ASSERT_TRUE(save(keeper));
    keeper.release();
    write_unasked(2, 2);
    begin();
    ASSERT_TRUE(keeper.copy_ahead(*store, reader(), {}));
    store->abandon();
    keeper.release();
    begin();
    ASSERT_TRUE(keeper.copy_ahead(*store, reader(), {}));
    const auto before = content();
    EXPECT_EQ(keeper.freeze(), MemoryKeeper::Writing::goes_on);
    EXPECT_EQ(read(save(keeper).value()), before);
}

TEST_F(MemoryKeeperTest, RemembersChangesAcrossASnapshotThatFailed)
{
    MemoryKeeper keeper({ram.get()});
    write(1, 1);
    keeper.freeze();
    begin();
    ASSERT_TRUE(save(keeper));
    keeper.release();
    write(2, 2);
    keeper.freeze();
    keeper.release();
    const auto before = content();
    keeper.freeze();
    begin();
    const auto tables = save(keeper);
    ASSERT_TRUE(tables);
    EXPECT_EQ(read(tables.value()), before);
}

TEST_F(MemoryKeeperTest, BringsPagesInWhenTheyAreTouched)
{
    MemoryKeeper keeper({ram.get()});
    for (u64 page = 0; page < 256; page += 2)
        write(page, page + 1);
    const auto before = content();
    keeper.freeze();
    begin();
    const auto tables = save(keeper).value();
    keeper.release();
    for (u64 page = 0; page < 256; ++page)
        write(page, 77);

    MemorySource source({ram.get()}, *store, {});
    for (u64 page = 0; page < 256; ++page)
        if (keeper.changed(0, page))
            ram->set_missing(page);
    source.set_tables(tables);
    keeper.set_base(tables);
    ram->before_read(4 * page_size, 8);
    EXPECT_EQ(std::memcmp(ram->data() + 4 * page_size, &before[4 * page_size], page_size), 0);
    ram->before_write(5);
    EXPECT_EQ(std::memcmp(ram->data() + 5 * page_size, &before[5 * page_size], page_size), 0);
    EXPECT_TRUE(keeper.changed(0, 5));
    EXPECT_FALSE(keeper.changed(0, 4));
    EXPECT_TRUE(source.bring_all(0));
    EXPECT_EQ(content(), before);
    // Changes after it, as after any other.
    write(9, 9);
    const auto later = content();
    keeper.freeze();
    begin();
    const auto child = save(keeper).value();
    EXPECT_EQ(read(child), later);
}

TEST_F(MemoryKeeperTest, SaysOnceThatMemoryIsDamaged)
{
    MemoryKeeper keeper({ram.get()});
    write(1, 1);
    keeper.freeze();
    begin();
    const auto tables = save(keeper).value();
    keeper.release();
    std::filesystem::resize_file(directory / (hex_id(1) + ".pages"), 60);
    PageStore again(directory);
    ASSERT_TRUE(again.segment_number(hex_id(1)));
    unsigned complaints = 0;
    MemorySource source({ram.get()}, again, [&](const Error& error) {
        EXPECT_FALSE(error.why.empty());
        ++complaints;
    });
    ram->set_missing(1);
    source.set_tables(tables);
    EXPECT_FALSE(source.bring_all(0));
    EXPECT_FALSE(source.sound());
    EXPECT_EQ(complaints, 1u);
    EXPECT_TRUE(is_zero_page(ram->data() + page_size));
}

}

}
