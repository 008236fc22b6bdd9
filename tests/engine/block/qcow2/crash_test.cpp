// Crashes and failing disks: what a power failure can leave of a recorded run, and every call to the file failing in turn.

#include <set>

#include "tests/engine/block/disk_fixture.h"
#include "tests/engine/block/qcow2/memory_image.h"

using namespace engine;

namespace {

using Call = MemoryFile::Call;

// A guest that writes sectors with a number of their own, so that each state of each sector can be told.
class Guest {
public:
    Guest(std::shared_ptr<MemoryFile> file, unsigned seed) : file_(std::move(file)), image_(open_in_memory(file_)), random_(seed)
    {
    }

    struct Write {
        u64 begun, done;    // numbers of events in the file's log
        u64 first, count;    // sectors
        u64 stamp;    // 0 for zeroes
        bool certain;    // false for a discard, which promises nothing
    };
    struct Flush {
        u64 done;
        std::size_t writes;    // those that it made durable
    };

    BlockResult step()
    {
        const u64 sectors = image_->size() / 512;
        const u64 first = random_() % sectors, count = std::min(sectors - first, 1 + random_() % (random_() % 4 ? 8 : 200));
        const auto kind = random_() % 10;
        if (kind == 0)
            return flush();
        last_ = {file_->events.size(), ~u64(0), first, count, ++stamp_, true};
        BlockRequest request{.operation = BlockOperation::write, .offset = first * 512, .length = count * 512};
        std::vector<u8> bytes(count * 512);
        for (u64 n = 0; n < bytes.size(); n += 8)
            store_le(&bytes[n], stamp_);
        if (kind < 7) {
            request.segments = {bytes};
            request.durable = kind == 6;
        } else {
            last_.stamp = 0;
            last_.certain = kind == 7;
            request.operation = kind == 7 ? BlockOperation::write_zeroes : BlockOperation::discard;
        }
        BlockResult result = image_->execute(request);
        // A machine waits until there is room, then makes the same request again.
        while (result.fault == BlockFault::no_space && ++waits < 10'000)
            result = image_->execute(request);
        return note(std::move(result));
    }
    BlockResult flush()
    {
        BlockResult result = image_->execute({.operation = BlockOperation::flush});
        while (result.fault == BlockFault::no_space && ++waits < 10'000)
            result = image_->execute({.operation = BlockOperation::flush});
        if (result.ok())
            flushes.push_back({file_->events.size(), writes.size()});
        return result;
    }
    BlockResult note(BlockResult result)
    {
        last_.done = file_->events.size();
        last_.certain &= result.ok();
        writes.push_back(last_);
        return result;
    }
    void close() { image_.reset(); }

    // Whether a disk may be what is left by a crash after `events` events of the file's log: what was flushed, and anything of
    // what was written since.
    std::string verify(ImageLayer& disk, u64 events, const std::vector<u64>& before) const
    {
        std::vector<std::set<u64>> possible(before.size());
        for (std::size_t n = 0; n < before.size(); ++n)
            possible[n] = {before[n]};
        std::size_t durable = 0;
        for (const Flush& flush : flushes)
            if (flush.done <= events)
                durable = flush.writes;
        for (std::size_t n = 0; n < writes.size() && writes[n].begun < events; ++n)
            for (u64 sector = writes[n].first; sector < writes[n].first + writes[n].count; ++sector) {
                if (n < durable && writes[n].certain)
                    possible[sector].clear();
                possible[sector].insert(writes[n].stamp);
            }
        std::vector<u8> bytes(disk.size());
        const BlockResult read
            = disk.execute({.operation = BlockOperation::read, .offset = 0, .length = bytes.size(), .segments = {bytes}});
        if (!read.ok())
            return read.error.text();
        for (std::size_t sector = 0; sector < before.size(); ++sector)
            if (!possible[sector].contains(load_le<u64>(&bytes[sector * 512])))
                return text(
                    "sector ", sector, " holds ", load_le<u64>(&bytes[sector * 512]), " instead of ", *possible[sector].begin());
        return {};
    }

    std::vector<Write> writes;
    std::vector<Flush> flushes;
    unsigned waits = 0;

private:
    std::shared_ptr<MemoryFile> file_;
    std::shared_ptr<qcow2::Image> image_;
    std::mt19937_64 random_;
    u64 stamp_ = 0;
    Write last_{};
};

void crash_everywhere(const std::vector<u8>& start, unsigned seed, unsigned steps, unsigned crashes)
{
    const auto file = std::make_shared<MemoryFile>(start);
    const auto before = stamps_of(*open_in_memory(std::make_shared<MemoryFile>(start)));
    file->recording = true;
    Guest guest(file, seed);
    for (unsigned n = 0; n < steps; ++n)
        ASSERT_TRUE(guest.step().ok());
    guest.close();
    EXPECT_TRUE(check_bytes(file->bytes()).clean()) << findings(check_bytes(file->bytes()));
    std::mt19937_64 random(seed);
    for (unsigned n = 0; n < crashes; ++n) {
        const u64 events = random() % (file->events.size() + 1);
        SCOPED_TRACE(text("seed ", seed, ", crash ", n, " after ", events, " of ", file->events.size(), " events"));
        const auto left = after_power_failure(start, file->events, events, random);
        const auto report = check_bytes(left);
        ASSERT_EQ(report.corruptions, 0u) << findings(report);
        const auto image = open_in_memory(std::make_shared<MemoryFile>(left));
        ASSERT_TRUE(image);
        ASSERT_EQ(guest.verify(*image, events, before), "");
    }
}

TEST(Qcow2Crash, a_power_failure_at_any_point_costs_nothing_that_was_flushed)
{
    for (const qcow2::NewImage& image : {
             qcow2::NewImage{.size = 1 << 20, .cluster_bits = 12},
             {.size = 1 << 20, .cluster_bits = 9},
             {.size = 4 << 20, .cluster_bits = 16},
             {.size = 1 << 20, .version = 2, .cluster_bits = 12},
             {.size = 1 << 20, .cluster_bits = 9, .refcount_order = 6},
         })
        for (unsigned seed = 1; seed <= 3; ++seed)
            ASSERT_NO_FATAL_FAILURE(crash_everywhere(new_image(image), seed, 150, 100)) << "clusters of 2^" << image.cluster_bits;
}

TEST(Qcow2Crash, a_table_of_refcounts_moves_without_danger)
{
    // A small image that grew: its table of refcounts is too short for what is written.
    auto file = std::make_shared<MemoryFile>(new_image({.size = 65536, .cluster_bits = 9, .refcount_order = 6}));
    ASSERT_TRUE(open_in_memory(file)->resize(8 << 20));
    const auto start = file->bytes();
    const auto table = qcow2::read_header(*file, "memory")->refcount_table_offset;
    {
        const auto image = open_in_memory(file);
        std::vector<u8> bytes(8 << 20, 1);
        const auto written
            = image->execute({.operation = BlockOperation::write, .offset = 0, .length = bytes.size(), .segments = {bytes}});
        ASSERT_TRUE(written.ok()) << written.error.text();
    }
    EXPECT_NE(qcow2::read_header(*file, "memory")->refcount_table_offset, table);
    EXPECT_TRUE(check_bytes(file->bytes()).clean()) << findings(check_bytes(file->bytes()));
    for (unsigned seed = 1; seed <= 3; ++seed)
        ASSERT_NO_FATAL_FAILURE(crash_everywhere(start, seed, 300, 60));
}

class Qcow2CrashWithQemu : public DiskTest { };

TEST_F(Qcow2CrashWithQemu, a_power_failure_spares_snapshots_and_compressed_clusters)
{
    NEEDS_QEMU_IMG();
    // So much of it noise that few clusters share a place when they are compressed.
    auto disk = noise(1 << 20, 8);
    for (std::size_t n = 0; n < disk.size(); n += 8)
        if (n % 512 == 0 || n % 1024 < 512)
            store_le(&disk[n], u64(1'000'000 + n / 512));
    put("model.img", disk);
    // Without a snapshot, what is overwritten is given up; with one it stays.
    for (const std::string snapshot : {"true", "qemu-img snapshot -c one a.qcow2"}) {
        ASSERT_EQ(
            run("rm -f a.qcow2; qemu-img convert -f raw -O qcow2 -c -o cluster_size=4096 model.img a.qcow2; " + snapshot), 0)
            << said();
        const auto start = contents("a.qcow2");
        for (unsigned seed = 1; seed <= 3; ++seed)
            ASSERT_NO_FATAL_FAILURE(crash_everywhere(start, seed, 150, 100));
    }
}

TEST(Qcow2Faults, a_full_disk_at_any_call_costs_nothing_once_there_is_room)
{
    for (unsigned seed = 1; seed <= 40; ++seed) {
        const auto file = std::make_shared<MemoryFile>(new_image({.size = 1 << 20, .cluster_bits = seed % 2 ? 9u : 12u}));
        std::mt19937_64 random(seed);
        Guest guest(file, seed);
        file->fail = [&](Call call, u64) { return call != Call::read && random() % 8 == 0 ? ENOSPC : 0; };
        for (unsigned n = 0; n < 120; ++n) {
            const BlockResult result = guest.step();
            ASSERT_TRUE(result.ok()) << result.error.text();
        }
        EXPECT_GT(guest.waits, 0u);
        file->fail = {};
        ASSERT_TRUE(guest.flush().ok());
        guest.close();
        const auto report = check_bytes(file->bytes());
        ASSERT_TRUE(report.clean()) << "seed " << seed << ": " << findings(report);
        ASSERT_EQ(guest.verify(*open_in_memory(file), ~u64(0), std::vector<u64>((1 << 20) / 512)), "") << "seed " << seed;
    }
}

TEST(Qcow2Faults, a_failing_disk_gives_errors_and_never_a_contradiction)
{
    for (unsigned seed = 1; seed <= 40; ++seed) {
        const auto file = std::make_shared<MemoryFile>(new_image({.size = 1 << 20, .cluster_bits = seed % 2 ? 9u : 12u}));
        std::mt19937_64 random(seed);
        Guest guest(file, seed);
        file->fail = [&](Call, u64) { return random() % 10 == 0 ? EIO : 0; };
        unsigned failures = 0;
        for (unsigned n = 0; n < 120; ++n)
            failures += !guest.step().ok();
        file->fail = {};
        EXPECT_GT(failures, 0u);
        ASSERT_TRUE(guest.flush().ok());
        guest.close();
        const auto report = check_bytes(file->bytes());
        ASSERT_EQ(report.corruptions, 0u) << "seed " << seed << ": " << findings(report);
        ASSERT_EQ(guest.verify(*open_in_memory(file), ~u64(0), std::vector<u64>((1 << 20) / 512)), "") << "seed " << seed;
    }
}

}
