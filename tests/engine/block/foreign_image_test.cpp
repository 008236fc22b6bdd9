// Images of other programs, made by qemu-img, are read byte for byte, below overlays as well.

#include "tests/engine/block/disk_fixture.h"

#include "engine/block/disk_tool.h"

using namespace engine;

namespace {

constexpr u64 disk_size = 20 << 20;

struct Kind {
    std::string file, format, options;
};

class ForeignImageTest : public DiskTest {
protected:
    std::vector<u8> model()
    {
        std::vector<u8> disk(disk_size);
        std::mt19937_64 random(5);
        for (unsigned n = 0; n < 30; ++n) {
            const u64 offset = random() % (disk_size / 512) * 512, length = std::min<u64>(disk_size - offset, random() % 400'000);
            std::ranges::copy(noise(length, unsigned(random())), disk.begin() + std::ptrdiff_t(offset));
        }
        put("model.img", disk);
        return disk;
    }
    const std::vector<Kind> kinds_{
        {"dynamic.vdi", "vdi", ""},
        {"fixed.vdi", "vdi", "-o static=on"},
        {"dynamic.vhd", "vpc", "-o force_size=on"},
        {"fixed.vhd", "vpc", "-o force_size=on,subformat=fixed"},
        {"dynamic.vhdx", "vhdx", ""},
        {"fixed.vhdx", "vhdx", "-o subformat=fixed"},
        {"small.vhdx", "vhdx", "-o block_size=1M"},
        {"sparse.vmdk", "vmdk", ""},
        {"flat.vmdk", "vmdk", "-o subformat=monolithicFlat"},
        {"split.vmdk", "vmdk", "-o subformat=twoGbMaxExtentSparse"},
        {"splitflat.vmdk", "vmdk", "-o subformat=twoGbMaxExtentFlat"},
        {"stream.vmdk", "vmdk", "-o subformat=streamOptimized"},
        {"zeroed.vmdk", "vmdk", "-o zeroed_grain=on"},
    };
};

TEST_F(ForeignImageTest, every_kind_that_qemu_img_makes_is_read_byte_for_byte)
{
    NEEDS_QEMU_IMG();
    const auto disk = model();
    for (const Kind& kind : kinds_) {
        SCOPED_TRACE(kind.file);
        ASSERT_EQ(run("qemu-img convert -f raw -O " + kind.format + " " + kind.options + " model.img " + kind.file), 0) << said();
        auto image = open(kind.file, ImageAccess::read_only);
        ASSERT_TRUE(image);
        EXPECT_EQ(image->size(), disk_size);
        EXPECT_TRUE(image->read_only());
        EXPECT_TRUE(read(*image, 0, disk_size) == disk);
        const auto part = read(*image, 1'000'448, 300'032);
        EXPECT_TRUE(std::equal(part.begin(), part.end(), disk.begin() + 1'000'448));
        EXPECT_EQ(probe_format(path(kind.file)).value(), *format_named(kind.format));
        image.reset();
        EXPECT_NE(refusal(kind.file).find("only read"), std::string::npos);
    }
}

TEST_F(ForeignImageTest, every_kind_can_lie_below_an_overlay_and_be_converted)
{
    NEEDS_QEMU_IMG();
    auto disk = model();
    for (const Kind& kind : kinds_) {
        SCOPED_TRACE(kind.file);
        ASSERT_EQ(
            run("rm -f over.qcow2 copy.qcow2; qemu-img convert -f raw -O " + kind.format + " " + kind.options + " model.img "
                + kind.file),
            0)
            << said();
        auto expected = disk;
        ASSERT_TRUE(create_disk({.path = path("over.qcow2"), .below = path(kind.file)}));
        {
            auto image = open("over.qcow2");
            ASSERT_TRUE(image);
            auto bytes = noise(100'352, 77);
            ASSERT_TRUE(write(*image, 5'000'192, bytes).ok());
            std::ranges::copy(bytes, expected.begin() + 5'000'192);
            EXPECT_TRUE(read(*image, 0, disk_size) == expected);
        }
        const auto converted = convert_disk({.from = {.path = path("over.qcow2")}, .to = path("copy.qcow2")});
        ASSERT_TRUE(converted) << converted.error().text();
        put("wanted.img", expected);
        EXPECT_EQ(
            run("qemu-img check copy.qcow2 && qemu-img compare copy.qcow2 wanted.img && qemu-img compare over.qcow2 wanted.img"),
            0)
            << said();
    }
}

TEST_F(ForeignImageTest, what_is_damaged_or_not_understood_is_refused_in_words)
{
    NEEDS_QEMU_IMG();
    model();
    for (const Kind& kind : kinds_)
        ASSERT_EQ(run("qemu-img convert -f raw -O " + kind.format + " " + kind.options + " model.img " + kind.file), 0) << said();
    const auto spoiled = [&](const std::string& name, std::size_t at, std::vector<u8> bytes) {
        auto all = contents(name);
        std::ranges::copy(bytes, all.begin() + std::ptrdiff_t(at));
        put("spoiled" + name.substr(name.find('.')), all);
        const auto image = open_image(path("spoiled" + name.substr(name.find('.'))), ImageAccess::read_only, workers_);
        return image ? "" : image.error().text();
    };
    EXPECT_NE(spoiled("dynamic.vdi", 0x4c, {4}).find("differs"), std::string::npos);
    EXPECT_NE(spoiled("dynamic.vdi", 0x178, {0, 0, 0, 0}).find("blocks"), std::string::npos);
    EXPECT_NE(spoiled("dynamic.vhd", 63, {4}).find("differs"), std::string::npos);
    EXPECT_NE(spoiled("dynamic.vhd", 512, {'x'}).find("no header"), std::string::npos);
    EXPECT_NE(spoiled("dynamic.vhdx", 65536 + 4, {1}) + spoiled("dynamic.vhdx", 192 * 1024, {1}), "x");
    EXPECT_NE(spoiled("sparse.vmdk", 20, {3}).find("header"), std::string::npos);
    put("evil.vmdk", [] {
        const std::string words = "# Disk DescriptorFile\nRW 8 FLAT \"../secret\" 0\n";
        return std::vector<u8>(words.begin(), words.end());
    }());
    const auto evil = open_image(path("evil.vmdk"), ImageAccess::read_only, workers_);
    ASSERT_FALSE(evil);
    EXPECT_NE(evil.error().text().find("outside of its folder"), std::string::npos);
}

}
