// VHDX images whose log was not replayed: made of two states of an image that qemu-img and qemu-io wrote, of which the file has
// the first and the log leads to the second.

#include "tests/engine/block/disk_fixture.h"

#include "engine/base/bits.h"
#include "engine/base/crc32c.h"

using namespace engine;

namespace {

constexpr u64 sector = 4096, mebibyte = 1 << 20, disk_size = 12 << 20;
constexpr std::size_t header_at[] = {65536, 131072};

class VhdxLog : public DiskTest {
protected:
    struct Step {
        u64 offset;    // in the file
        std::vector<u8> bytes;    // a sector; empty for zeroes
        u64 zeroes = 0;
    };

    // `before_`, `after_`, and the steps between them.
    void SetUp() override
    {
        NEEDS_QEMU_IMG();
        put("disk.img", noise(disk_size / 2, 1));
        ASSERT_EQ(run("truncate -s 12M disk.img && qemu-img convert -O vhdx -o block_size=1M disk.img a.vhdx"), 0) << said();
        ASSERT_EQ(
            run("cp a.vhdx b.vhdx && qemu-io -f vhdx -c 'write -P 0x5a 8M 40k' -c 'write -P 0x11 1M 4k' -c 'write -P 0 2M 8k' "
                "b.vhdx"),
            0)
            << said();
        before_ = contents("a.vhdx");
        after_ = contents("b.vhdx");
        const auto header = std::span(before_).subspan(header_at[0]);
        log_length_ = load_le<u32>(&header[68]);
        log_offset_ = load_le<u64>(&header[72]);
        before_.resize(std::max(before_.size(), after_.size()));
        file_size_ = contents("a.vhdx").size();
        for (u64 at = 192 * 1024; at < after_.size(); at += sector) {
            const auto now = std::span(after_).subspan(at, sector);
            const bool in_log = at >= log_offset_ && at < log_offset_ + log_length_;
            if (!in_log && !std::equal(now.begin(), now.end(), before_.begin() + std::ptrdiff_t(at)))
                steps_.push_back({at, {now.begin(), now.end()}});
        }
        ASSERT_GT(steps_.size(), 5u);
        before_.resize(file_size_);
    }

    // An entry, as it lies in the log.
    std::vector<u8> entry(const std::vector<Step>& steps, u64 number, u64 tail) const
    {
        const u64 head = round_up(64 + 32 * steps.size(), sector);
        std::vector<u8> bytes(head);
        std::memcpy(bytes.data(), "loge", 4);
        store_le(&bytes[12], u32(tail));
        store_le(&bytes[16], number);
        store_le(&bytes[24], u32(steps.size()));
        std::ranges::copy(guid_, bytes.begin() + 32);
        store_le(&bytes[48], u64(file_size_));
        store_le(&bytes[56], u64(after_.size()));
        for (std::size_t n = 0; n < steps.size(); ++n) {
            u8* const descriptor = &bytes[64 + 32 * n];
            store_le(descriptor + 16, steps[n].offset);
            store_le(descriptor + 24, number);
            std::memcpy(descriptor, steps[n].bytes.empty() ? "zero" : "desc", 4);
            store_le(descriptor + 8, steps[n].zeroes);
            if (steps[n].bytes.empty())
                continue;
            std::memcpy(descriptor + 4, &steps[n].bytes[sector - 4], 4);
            std::memcpy(descriptor + 8, steps[n].bytes.data(), 8);
            const u64 at = bytes.size();
            bytes.insert(bytes.end(), steps[n].bytes.begin(), steps[n].bytes.end());
            std::memcpy(&bytes[at], "data", 4);
            store_le(&bytes[at + 4], u32(number >> 32));
            store_le(&bytes[at + sector - 4], u32(number));
        }
        store_le(&bytes[8], u32(bytes.size()));
        seal(bytes);
        return bytes;
    }
    static void seal(std::span<u8> bytes)
    {
        store_le(&bytes[4], u32(0));
        store_le(&bytes[4], crc32c(bytes));
    }
    void log(u64 at, const std::vector<u8>& bytes)
    {
        for (u64 n = 0; n < bytes.size(); ++n)
            before_[log_offset_ + (at + n) % log_length_] = bytes[n];
    }
    // All steps in entries of `each`, the first at `at`; where the next entry would be.
    u64 log_steps(u64 at, std::size_t each, u64 number)
    {
        const u64 tail = at;
        for (std::size_t n = 0; n < steps_.size(); n += each, ++number) {
            const auto end = steps_.begin() + std::ptrdiff_t(std::min(n + each, steps_.size()));
            const auto bytes = entry({steps_.begin() + std::ptrdiff_t(n), end}, number, tail);
            log(at, bytes);
            at = (at + bytes.size()) % log_length_;
        }
        return at;
    }
    void mark_dirty()
    {
        for (const std::size_t at : header_at) {
            std::ranges::copy(guid_, before_.begin() + std::ptrdiff_t(at + 48));
            seal(std::span(before_).subspan(at, 4096));
        }
        put("dirty.vhdx", before_);
    }
    // What the disk holds, or why it can't be read.
    std::string content(const std::string& name, std::vector<u8>& to)
    {
        auto image = open_image(path(name), ImageAccess::read_only, workers_);
        if (!image)
            return image.error().text();
        to.assign(disk_size, 0xee);
        const auto result
            = wait(**image, {.operation = BlockOperation::read, .offset = 0, .length = disk_size, .segments = {to}});
        return result.ok() ? "" : result.error.text();
    }
    void expect_after()
    {
        std::vector<u8> now, wanted;
        EXPECT_EQ(content("dirty.vhdx", now), "");
        EXPECT_EQ(content("b.vhdx", wanted), "");
        EXPECT_TRUE(now == wanted);
        EXPECT_EQ(contents("dirty.vhdx"), before_);    // untouched
    }

    std::vector<u8> before_, after_;
    u64 file_size_ = 0, log_offset_ = 0, log_length_ = 0;
    std::vector<Step> steps_;
    const std::vector<u8> guid_ = noise(16, 9);
};

TEST_F(VhdxLog, one_entry_is_replayed)
{
    log_steps(0, steps_.size(), 1);
    mark_dirty();
    expect_after();
}

TEST_F(VhdxLog, several_entries_are_replayed_over_the_end_of_the_ring)
{
    log_steps(log_length_ - 3 * sector, 3, 0x1'0000'0007);
    mark_dirty();
    expect_after();
}

TEST_F(VhdxLog, what_is_older_is_passed_over)
{
    // Entries that are done with, and would spoil the image: another sequence, and the same one before the tail.
    const std::vector<Step> harm{{steps_[0].offset, noise(sector, 3)}, {steps_.back().offset, {}, sector}};
    log(0, entry(harm, 3, 0));
    const auto before_tail = entry(harm, 99, 40 * sector);
    log(40 * sector, before_tail);
    log_steps(40 * sector + before_tail.size(), 4, 100);
    // Of a log of an earlier life.
    auto other = entry(harm, 200, 100 * sector);
    other[32] ^= 1;
    seal(other);
    log(100 * sector, other);
    mark_dirty();
    expect_after();
}

TEST_F(VhdxLog, an_entry_that_is_not_whole_counts_for_nothing)
{
    const u64 end = log_steps(5 * sector, 5, 10);
    auto torn = entry({{steps_[0].offset, noise(sector, 3)}}, 10 + (steps_.size() + 4) / 5, 5 * sector);
    torn[2 * sector - 100] ^= 1;
    log(end, torn);
    mark_dirty();
    expect_after();
}

TEST_F(VhdxLog, zeroes_are_laid_over_and_under)
{
    // All of it zero first, in one go, with what counts laid upon it.
    const u64 first = steps_.front().offset, length = steps_.back().offset + sector - first;
    ASSERT_LT(log_offset_, first);
    std::vector<Step> over{{first, {}, length}};
    for (u64 at = first; at < first + length; at += sector)
        if (at + sector <= after_.size()
            && (at == first || std::any_of(&after_[at], &after_[at] + sector, [](u8 b) { return b; })))
            over.push_back({at, {after_.begin() + std::ptrdiff_t(at), after_.begin() + std::ptrdiff_t(at + sector)}});
    if (over.size() > 240)
        over.resize(1);    // too much for the log: then the disk's table is zero, and so is the disk
    log(0, entry(over, 1, 0));
    mark_dirty();
    std::vector<u8> now;
    const std::string why = content("dirty.vhdx", now);
    if (over.size() > 1)
        expect_after();
    else
        EXPECT_TRUE(!why.empty() || now == std::vector<u8>(disk_size)) << why;
}

TEST_F(VhdxLog, an_overlay_lies_on_it)
{
    log_steps(0, 7, 1);
    mark_dirty();
    ASSERT_TRUE(create_overlay(path("over.qcow2"), path("dirty.vhdx"), ImageFormat::vhdx, disk_size));
    std::vector<u8> wanted, now;
    ASSERT_EQ(content("b.vhdx", wanted), "");
    {
        auto over = open("over.qcow2");
        ASSERT_TRUE(over);
        std::vector<u8> bytes = noise(5000 / 512 * 512, 8);
        ASSERT_TRUE(write(*over, 8 * mebibyte + 512, bytes).ok());
        std::ranges::copy(bytes, wanted.begin() + 8 * mebibyte + 512);
    }
    ASSERT_EQ(content("over.qcow2", now), "");
    EXPECT_TRUE(now == wanted);
    EXPECT_EQ(contents("dirty.vhdx"), before_);
}

TEST_F(VhdxLog, one_that_is_damaged_is_told)
{
    std::vector<u8> now;
    mark_dirty();    // and nothing in it
    EXPECT_NE(content("dirty.vhdx", now).find("its log is damaged"), std::string::npos);
    // The last entry's tail is not there any more.
    log(0, entry(steps_, 5, 10 * sector));
    mark_dirty();
    EXPECT_NE(content("dirty.vhdx", now).find("its log is damaged"), std::string::npos);
    // More was written than the file has.
    file_size_ += mebibyte;
    log(0, entry(steps_, 5, 0));
    mark_dirty();
    EXPECT_NE(content("dirty.vhdx", now).find("shorter than its log"), std::string::npos);
}

TEST_F(VhdxLog, entries_that_contradict_themselves_are_told)
{
    const std::vector<u8> good = entry({steps_[0], {steps_[1].offset, {}, sector}}, 5, 0);
    const auto spoiled = [&](std::size_t at, u64 value) {
        std::vector<u8> bytes = good;
        store_le(&bytes[at], value);
        seal(bytes);
        log(0, bytes);
        mark_dirty();
        std::vector<u8> now;
        return content("dirty.vhdx", now);
    };
    EXPECT_NE(spoiled(24, 0xffff'ffff).find("contradicts"), std::string::npos);    // descriptors
    EXPECT_NE(spoiled(24, 200).find("contradicts"), std::string::npos);
    EXPECT_NE(spoiled(64 + 16, 100).find("contradicts"), std::string::npos);    // offsets
    EXPECT_NE(spoiled(64 + 16, ~u64(sector - 1)).find("contradicts"), std::string::npos);
    EXPECT_NE(spoiled(64 + 24, 6).find("contradicts"), std::string::npos);    // numbers
    EXPECT_NE(spoiled(96, 0).find("contradicts"), std::string::npos);    // signatures
    EXPECT_NE(spoiled(96 + 8, 100).find("contradicts"), std::string::npos);    // length of zeroes
    EXPECT_NE(spoiled(96 + 8, ~u64(sector - 1)).find("contradicts"), std::string::npos);
    EXPECT_NE(spoiled(sector, 0).find("contradicts"), std::string::npos);    // data
    EXPECT_NE(spoiled(2 * sector - 8, 0).find("contradicts"), std::string::npos);
    EXPECT_NE(spoiled(56, ~u64(0)).find("contradicts"), std::string::npos);    // size
    EXPECT_NE(spoiled(8, 0).find("damaged"), std::string::npos);    // length
    EXPECT_NE(spoiled(16, 0).find("damaged"), std::string::npos);    // the entry's number
}

// Every byte of an entry matters, and is found out.
TEST_F(VhdxLog, no_flipped_byte_gives_another_disk)
{
    const u64 end = log_steps(0, steps_.size(), 1);
    mark_dirty();
    expect_after();
    for (u64 at = 0; at < end; at += at % sector < 256 ? 7 : 509) {
        before_[log_offset_ + at] ^= 0x20;
        put("dirty.vhdx", before_);
        std::vector<u8> now;
        EXPECT_NE(content("dirty.vhdx", now), "") << at;
        before_[log_offset_ + at] ^= 0x20;
    }
}

}
