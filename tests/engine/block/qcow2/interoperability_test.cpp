// Images that qemu-img makes are read and written here, and those that are made here satisfy qemu-img, feature by feature.

#include "tests/engine/block/disk_fixture.h"

#include "engine/base/text.h"
#include "engine/block/new_file.h"
#include "engine/block/qcow2/create.h"
#include "engine/block/qcow2/image.h"

using namespace engine;

namespace {

constexpr u64 disk_size = 8 << 20;

class Qcow2WithQemu : public DiskTest {
protected:
    // A raw disk with stretches of noise, zeroes, text and holes.
    std::vector<u8> model(unsigned seed = 1)
    {
        std::vector<u8> disk(disk_size);
        std::mt19937_64 random(seed);
        for (unsigned n = 0; n < 40; ++n) {
            const u64 offset = random() % (disk_size / 512) * 512, length = std::min<u64>(disk_size - offset, random() % 300'000);
            const auto kind = random() % 3;
            const auto bytes = noise(length, unsigned(random()));
            for (u64 at = 0; at < length; ++at)
                disk[offset + at] = kind == 0 ? bytes[at] : kind == 1 ? u8("lorem ipsum "[at % 12]) : 0;
        }
        put("model.img", disk);
        return disk;
    }
    void expect_sound(const std::string& image, const std::vector<u8>& disk)
    {
        put("wanted.img", disk);
        EXPECT_EQ(run("qemu-img check " + image), 0) << said();
        EXPECT_EQ(run("qemu-img compare " + image + " wanted.img -F raw"), 0) << said();
    }
    void change(DiskImage& image, std::vector<u8>& disk, unsigned seed)
    {
        std::mt19937_64 random(seed);
        for (unsigned n = 0; n < 60; ++n) {
            const u64 offset = random() % (disk.size() / 512) * 512;
            const u64 length = std::min<u64>(disk.size() - offset, random() % 512 * 512);
            const auto kind = random() % 4;
            if (kind < 2) {
                auto bytes = noise(length, unsigned(random()));
                ASSERT_TRUE(write(image, offset, bytes).ok());
                std::ranges::copy(bytes, disk.begin() + std::ptrdiff_t(offset));
            } else if (kind == 2) {
                ASSERT_TRUE(wait(image, {.operation = BlockOperation::write_zeroes, .offset = offset, .length = length}).ok());
                std::fill_n(disk.begin() + std::ptrdiff_t(offset), length, 0);
            } else {
                ASSERT_TRUE(flush(image).ok());
            }
        }
    }
};

TEST_F(Qcow2WithQemu, every_feature_that_qemu_writes_is_read_and_can_be_written_on)
{
    NEEDS_QEMU_IMG();
    const auto disk = model();
    for (const std::string options :
         {"compat=0.10", "compat=1.1", "cluster_size=512", "cluster_size=4096", "cluster_size=2M", "lazy_refcounts=on",
          "refcount_bits=1", "refcount_bits=2", "refcount_bits=4", "refcount_bits=8", "refcount_bits=32", "refcount_bits=64",
          "preallocation=metadata", "preallocation=falloc", "compression_type=zstd"})
        for (const std::string compressed : {"", "-c"}) {
            if (!compressed.empty() && options.find("prealloc") != std::string::npos)
                continue;
            SCOPED_TRACE(options + " " + compressed);
            ASSERT_EQ(
                run("rm -f a.qcow2; qemu-img convert -f raw -O qcow2 -o " + options + " " + compressed + " model.img a.qcow2"), 0)
                << said();
            auto expected = disk;
            {
                auto image = open("a.qcow2");
                ASSERT_TRUE(image);
                EXPECT_EQ(image->size(), disk_size);
                EXPECT_TRUE(read(*image, 0, disk_size) == disk);
                change(*image, expected, 7);
                EXPECT_TRUE(read(*image, 0, disk_size) == expected);
            }
            expect_sound("a.qcow2", expected);
        }
}

TEST_F(Qcow2WithQemu, what_is_made_here_with_every_option_is_sound_for_qemu)
{
    NEEDS_QEMU_IMG();
    for (const qcow2::NewImage& made : {
             qcow2::NewImage{.size = disk_size},
             {.size = disk_size, .version = 2},
             {.size = disk_size, .cluster_bits = 9},
             {.size = disk_size, .cluster_bits = 12, .refcount_order = 6},
             {.size = disk_size, .cluster_bits = 9, .refcount_order = 6},
             {.size = disk_size, .cluster_bits = 21},
             {.size = disk_size, .refcount_order = 0},
             {.size = disk_size, .lazy_refcounts = true},
             {.size = disk_size, .compression = qcow2::Compression::zstd},
         }) {
        SCOPED_TRACE(text("clusters of 2^", made.cluster_bits, ", refcounts of 2^", made.refcount_order));
        run("rm -f a.qcow2");
        auto file = NewFile::create(path("a.qcow2"));
        ASSERT_TRUE(file);
        ASSERT_TRUE(qcow2::write_new_image(file->file(), made, "a.qcow2"));
        ASSERT_TRUE(file->keep());
        std::vector<u8> disk(disk_size);
        expect_sound("a.qcow2", disk);
        {
            auto image = open("a.qcow2");
            ASSERT_TRUE(image);
            change(*image, disk, 3);
        }
        expect_sound("a.qcow2", disk);
    }
}

TEST_F(Qcow2WithQemu, overlays_show_what_lies_below_and_keep_what_is_written)
{
    NEEDS_QEMU_IMG();
    auto disk = model();
    ASSERT_EQ(run("mkdir below; qemu-img convert -f raw -O qcow2 model.img below/base.qcow2"), 0) << said();
    ASSERT_TRUE(create_overlay(path("ours.qcow2"), path("below/base.qcow2"), ImageFormat::qcow2, disk_size));
    ASSERT_EQ(run("qemu-img create -f qcow2 -F qcow2 -b below/base.qcow2 theirs.qcow2"), 0) << said();
    ASSERT_EQ(run("qemu-img create -f qcow2 -o compat=0.10 -F raw -b model.img old.qcow2"), 0) << said();
    for (const std::string name : {"ours.qcow2", "theirs.qcow2", "old.qcow2"}) {
        SCOPED_TRACE(name);
        auto expected = disk;
        {
            auto image = open(name);
            ASSERT_TRUE(image);
            EXPECT_TRUE(read(*image, 0, disk_size) == disk);
            change(*image, expected, 11);
            EXPECT_TRUE(read(*image, 0, disk_size) == expected);
        }
        expect_sound(name, expected);
    }
    EXPECT_EQ(run("qemu-img check below/base.qcow2 && qemu-img compare below/base.qcow2 model.img"), 0) << said();
}

TEST_F(Qcow2WithQemu, an_image_below_that_is_shorter_reads_as_zeroes_beyond_its_end)
{
    NEEDS_QEMU_IMG();
    put("short.img", noise(1'000'448, 5));
    ASSERT_EQ(run("qemu-img create -f qcow2 -F raw -b short.img over.qcow2 8M"), 0) << said();
    auto disk = contents("short.img");
    disk.resize(disk_size);
    {
        auto image = open("over.qcow2");
        ASSERT_TRUE(image);
        EXPECT_TRUE(read(*image, 0, disk_size) == disk);
        change(*image, disk, 12);
    }
    expect_sound("over.qcow2", disk);
}

TEST_F(Qcow2WithQemu, internal_snapshots_are_listed_read_and_never_written_over)
{
    NEEDS_QEMU_IMG();
    const auto first = model();
    ASSERT_EQ(run("qemu-img convert -f raw -O qcow2 -c model.img a.qcow2 && qemu-img snapshot -c one a.qcow2"), 0) << said();
    auto second = first;
    {
        auto image = open("a.qcow2");
        ASSERT_TRUE(image);
        change(*image, second, 21);
    }
    ASSERT_EQ(run("qemu-img snapshot -c two a.qcow2"), 0) << said();
    auto third = second;
    {
        auto image = open("a.qcow2");
        ASSERT_TRUE(image);
        const auto top = std::dynamic_pointer_cast<qcow2::Image>(image->top());
        ASSERT_EQ(top->snapshots().size(), 2u);
        EXPECT_EQ(top->snapshots()[1].name, "two");
        EXPECT_EQ(top->snapshots()[1].disk_size, disk_size);
        change(*image, third, 22);
    }
    expect_sound("a.qcow2", third);
    for (const auto& [name, content] : std::vector<std::pair<std::string, std::vector<u8>>>{{"one", first}, {"two", second}}) {
        auto image = open("a.qcow2", ImageAccess::read_only, {.snapshot = name});
        ASSERT_TRUE(image);
        EXPECT_TRUE(read(*image, 0, disk_size) == content);
    }
    EXPECT_NE(refusal("a.qcow2", {.snapshot = "three"}).find("no snapshot"), std::string::npos);
    ASSERT_EQ(run("qemu-img snapshot -a one a.qcow2"), 0) << said();
    expect_sound("a.qcow2", first);
}

TEST_F(Qcow2WithQemu, resizing_keeps_what_stays_and_shows_zeroes_beyond)
{
    NEEDS_QEMU_IMG();
    for (const std::string options : {"cluster_size=65536", "cluster_size=512", "compat=0.10"}) {
        SCOPED_TRACE(options);
        auto disk = model();
        ASSERT_EQ(run("rm -f a.qcow2; qemu-img convert -f raw -O qcow2 -o " + options + " model.img a.qcow2"), 0) << said();
        for (const u64 size : {disk_size + 512, u64(5'000'192), u64(64 << 20), u64(512), u64(3 << 20)}) {
            {
                auto image = open("a.qcow2");
                ASSERT_TRUE(image);
                const auto top = std::dynamic_pointer_cast<qcow2::Image>(image->top());
                const auto resized = top->resize(size);
                ASSERT_TRUE(resized) << resized.error().text();
            }
            disk.resize(size);
            {
                auto image = open("a.qcow2");
                ASSERT_TRUE(image);
                EXPECT_EQ(image->size(), size);
                change(*image, disk, unsigned(size));
            }
            expect_sound("a.qcow2", disk);
        }
    }
}

TEST_F(Qcow2WithQemu, preallocation_gives_every_cluster_its_place)
{
    NEEDS_QEMU_IMG();
    auto file = NewFile::create(path("a.qcow2"));
    ASSERT_TRUE(file);
    ASSERT_TRUE(qcow2::write_new_image(file->file(), {.size = disk_size + 512}, "a.qcow2"));
    ASSERT_TRUE(file->keep());
    {
        auto image = open("a.qcow2");
        ASSERT_TRUE(std::dynamic_pointer_cast<qcow2::Image>(image->top())->preallocate());
    }
    std::vector<u8> disk(disk_size + 512);
    expect_sound("a.qcow2", disk);
    EXPECT_EQ(run("qemu-img check a.qcow2 | grep -q '129/129 = 100'"), 0) << said();
    const auto before = std::filesystem::file_size(path("a.qcow2"));
    {
        auto image = open("a.qcow2");
        auto bytes = noise(disk.size(), 3);
        ASSERT_TRUE(write(*image, 0, bytes).ok());
        disk = bytes;
    }
    expect_sound("a.qcow2", disk);
    EXPECT_EQ(std::filesystem::file_size(path("a.qcow2")), before);
}

}
