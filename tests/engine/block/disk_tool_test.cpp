#include "tests/engine/block/disk_fixture.h"

#include "engine/base/text.h"
#include "engine/block/disk_tool.h"

using namespace engine;

namespace {

class DiskToolTest : public DiskTest {
protected:
    std::vector<u8> model(u64 size = 12 << 20)
    {
        std::vector<u8> disk(size);
        std::mt19937_64 random(9);
        for (unsigned n = 0; n < 20; ++n) {
            const u64 offset = random() % (size / 512) * 512, length = std::min<u64>(size - offset, random() % 400'000);
            for (u64 at = 0; at < length; ++at)
                disk[offset + at] = n % 2 ? u8(random()) : u8("a line of text, again and again. "[at % 33]);
        }
        put("model.img", disk);
        return disk;
    }
    u64 on_disk(const std::string& name) { return disk_info({.path = path(name)}).value().bytes_on_disk; }
    std::vector<std::string> files()
    {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(folder_))
            names.push_back(entry.path().filename().string());
        std::ranges::sort(names);
        return names;
    }
};

TEST_F(DiskToolTest, conversions_keep_the_content_and_leave_zeroes_out)
{
    const auto disk = model();
    const auto convert = [&](const std::string& from, const std::string& to, bool compress = false) {
        const auto done = convert_disk({.from = {.path = path(from)}, .to = path(to), .compress = compress});
        EXPECT_TRUE(done) << done.error().text();
    };
    convert("model.img", "a.qcow2");
    convert("a.qcow2", "b.img");
    convert("b.img", "c.qcow2", true);
    convert("c.qcow2", "d.img");
    for (const char* name : {"a.qcow2", "b.img", "c.qcow2", "d.img"}) {
        auto image = open(name, ImageAccess::read_only);
        EXPECT_TRUE(read(*image, 0, disk.size()) == disk) << name;
        EXPECT_LT(on_disk(name), disk.size() / 2) << name;
    }
    EXPECT_LT(on_disk("c.qcow2"), on_disk("a.qcow2"));
    for (const char* name : {"a.qcow2", "c.qcow2"}) {
        const auto report = check_disk({.path = path(name)}, false);
        ASSERT_TRUE(report);
        EXPECT_TRUE(report.value().clean());
        EXPECT_EQ(report.value().compressed > 0, name[0] == 'c');
    }
    EXPECT_EQ(run("! command -v qemu-img || { qemu-img check c.qcow2 && qemu-img compare c.qcow2 model.img; }"), 0) << said();
}

TEST_F(DiskToolTest, a_conversion_that_is_stopped_or_refused_leaves_nothing)
{
    model();
    const auto before = files();
    const auto stopped
        = convert_disk({.from = {.path = path("model.img")}, .to = path("a.qcow2")}, [](double done) { return done < 0.3; });
    ASSERT_FALSE(stopped);
    EXPECT_NE(stopped.error().text().find("stopped"), std::string::npos);
    EXPECT_FALSE(convert_disk({.from = {.path = path("model.img")}, .to = path("a.vdi")}));
    EXPECT_FALSE(convert_disk({.from = {.path = path("missing.img")}, .to = path("a.qcow2")}));
    EXPECT_FALSE(convert_disk({.from = {.path = path("model.img")}, .to = path("model.img")}));
    EXPECT_EQ(files(), before);
}

TEST_F(DiskToolTest, compacting_gives_back_what_is_zero_and_what_nothing_refers_to)
{
    auto disk = model();
    ASSERT_TRUE(convert_disk({.from = {.path = path("model.img")}, .to = path("a.qcow2")}));
    {
        auto image = open("a.qcow2");
        std::vector<u8> zeroes(6 << 20);
        ASSERT_TRUE(write(*image, 0, zeroes).ok());
        std::fill_n(disk.begin(), zeroes.size(), u8(0));
    }
    const auto won = compact_disk({.path = path("a.qcow2")});
    ASSERT_TRUE(won) << won.error().text();
    EXPECT_GE(won.value(), u64(5) << 20);
    auto image = open("a.qcow2");
    EXPECT_TRUE(read(*image, 0, disk.size()) == disk);
    image.reset();
    EXPECT_TRUE(check_disk({.path = path("a.qcow2")}, false).value().clean());
    EXPECT_EQ(compact_disk({.path = path("a.qcow2")}).value(), 0u);
    EXPECT_EQ(files(), (std::vector<std::string>{"a.qcow2", "model.img"}));
}

TEST_F(DiskToolTest, compacting_an_overlay_leaves_what_lies_below_alone)
{
    auto disk = model();
    ASSERT_TRUE(create_disk({.path = path("over.qcow2"), .below = path("model.img"), .below_format = "raw"}));
    {
        auto image = open("over.qcow2");
        std::vector<u8> zeroes(1 << 20), noisy = noise(1 << 20, 4);
        ASSERT_TRUE(write(*image, 1 << 20, zeroes).ok());
        ASSERT_TRUE(write(*image, 3 << 20, noisy).ok());
        std::fill_n(disk.begin() + (1 << 20), zeroes.size(), u8(0));
        std::ranges::copy(noisy, disk.begin() + (3 << 20));
    }
    EXPECT_GE(compact_disk({.path = path("over.qcow2")}).value(), u64(900'000));
    auto image = open("over.qcow2");
    EXPECT_TRUE(read(*image, 0, disk.size()) == disk);
    EXPECT_TRUE(image->top()->backing());
    EXPECT_LT(on_disk("over.qcow2"), u64(1'600'000));
}

TEST_F(DiskToolTest, resizing_grows_at_once_and_shrinks_only_when_told_to)
{
    model();
    ASSERT_TRUE(convert_disk({.from = {.path = path("model.img")}, .to = path("a.qcow2")}));
    for (const char* name : {"model.img", "a.qcow2"}) {
        EXPECT_TRUE(resize_disk({.path = path(name)}, 20 << 20, Shrinking::refused));
        EXPECT_EQ(disk_info({.path = path(name)}).value().size, u64(20 << 20));
        EXPECT_NE(
            resize_disk({.path = path(name)}, 1 << 20, Shrinking::refused).error().text().find("would shrink"),
            std::string::npos);
        EXPECT_TRUE(resize_disk({.path = path(name)}, 1 << 20, Shrinking::allowed));
        EXPECT_EQ(disk_info({.path = path(name)}).value().size, u64(1 << 20));
    }
}

TEST_F(DiskToolTest, an_image_in_use_is_told_about_but_not_touched)
{
    ASSERT_TRUE(create_disk({.path = path("a.qcow2"), .size = 1 << 20}));
    const auto machine = open("a.qcow2");
    EXPECT_EQ(disk_info({.path = path("a.qcow2")}).value().size, u64(1 << 20));
    for (const auto& refused :
         {check_disk({.path = path("a.qcow2")}, false).error(), compact_disk({.path = path("a.qcow2")}).error(),
          resize_disk({.path = path("a.qcow2")}, 2 << 20, Shrinking::refused).error()})
        EXPECT_NE(refused.text().find("another machine or program is using it"), std::string::npos);
}

TEST_F(DiskToolTest, a_check_finds_what_is_wrong_and_repairs_it)
{
    model();
    ASSERT_TRUE(convert_disk({.from = {.path = path("model.img")}, .to = path("a.qcow2")}));
    auto bytes = contents("a.qcow2");
    // The first refcount block: some clusters counted as free, some that are free counted.
    const std::size_t block = 2 * 65536;
    for (const std::size_t cluster : {6, 7, 8})
        bytes[block + 2 * cluster + 1] = 0;
    for (const std::size_t cluster : {5000, 5001})
        bytes[block + 2 * cluster + 1] = 1;
    put("a.qcow2", bytes);
    const auto found = check_disk({.path = path("a.qcow2")}, false);
    ASSERT_TRUE(found);
    EXPECT_GE(found.value().corruptions, 3u);
    EXPECT_FALSE(found.value().findings.empty());
    const auto repaired = check_disk({.path = path("a.qcow2")}, true);
    ASSERT_TRUE(repaired) << repaired.error().text();
    EXPECT_TRUE(repaired.value().clean());
    EXPECT_TRUE(check_disk({.path = path("a.qcow2")}, false).value().clean());
    EXPECT_EQ(run("! command -v qemu-img || { qemu-img check a.qcow2 && qemu-img compare a.qcow2 model.img; }"), 0) << said();
}

TEST_F(DiskToolTest, an_image_that_was_not_closed_is_repaired_when_it_is_opened)
{
    model();
    ASSERT_TRUE(convert_disk({.from = {.path = path("model.img")}, .to = path("a.qcow2")}));
    auto bytes = contents("a.qcow2");
    // As a program that counts lazily leaves it: no counts, and the dirty bit.
    std::fill_n(bytes.begin() + 2 * 65536 + 8, 65536 - 8, u8(0));
    bytes[79] |= 1;
    put("a.qcow2", bytes);
    EXPECT_TRUE(disk_info({.path = path("a.qcow2")}).value().dirty);
    open("a.qcow2").reset();
    EXPECT_FALSE(disk_info({.path = path("a.qcow2")}).value().dirty);
    EXPECT_TRUE(check_disk({.path = path("a.qcow2")}, false).value().clean());
    EXPECT_EQ(run("! command -v qemu-img || { qemu-img check a.qcow2 && qemu-img compare a.qcow2 model.img; }"), 0) << said();
}

TEST_F(DiskToolTest, what_is_encrypted_or_unknown_is_refused_by_name)
{
    const auto refused = [&](std::size_t at, std::vector<u8> bytes) {
        EXPECT_TRUE(create_disk({.path = path("a.qcow2"), .size = 1 << 20}));
        auto all = contents("a.qcow2");
        std::ranges::copy(bytes, all.begin() + std::ptrdiff_t(at));
        put("a.qcow2", all);
        const std::string said = refusal("a.qcow2");
        std::filesystem::remove(path("a.qcow2"));
        return said;
    };
    EXPECT_NE(refused(35, {2}).find("LUKS"), std::string::npos);
    EXPECT_NE(refused(35, {1}).find("AES"), std::string::npos);
    EXPECT_NE(refused(79, {4}).find("external data file"), std::string::npos);
    EXPECT_NE(refused(79, {16}).find("extended L2"), std::string::npos);
    EXPECT_NE(refused(78, {1}).find("feature 8"), std::string::npos);
    EXPECT_NE(refused(7, {9}).find("version 9"), std::string::npos);
    EXPECT_NE(refused(23, {40}).find("2^40"), std::string::npos);
    EXPECT_NE(refused(79, {2}).find("marked as damaged"), std::string::npos);
}

}
