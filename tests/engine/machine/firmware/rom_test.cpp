#include "engine/machine/firmware/rom.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

using namespace engine;

namespace {
struct Directory {
    std::filesystem::path path;
    Directory()
    {
        char name[] = "/tmp/paddock-rom-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Directory() { std::filesystem::remove_all(path); }
    void put(const std::string& name, const std::string& content) { std::ofstream(path / name, std::ios::binary) << content; }
};
}

TEST(Firmware, says_which_package_is_missing)
{
    const Directory d;
    const auto images = load_firmware(d.path);
    ASSERT_FALSE(images);
    EXPECT_NE(images.error().what.find("bios-256k.bin is missing"), std::string::npos);
    EXPECT_NE(images.error().what_to_do.find("apt install seabios"), std::string::npos);
}

TEST(Firmware, refuses_damaged_images)
{
    Directory d;
    d.put("bios-256k.bin", std::string(1000, 0));
    EXPECT_FALSE(load_firmware(d.path));
    d.put("bios-256k.bin", std::string(256 * 1024, 0));
    d.put("vgabios-stdvga.bin", "not a ROM");
    const auto images = load_firmware(d.path);
    ASSERT_FALSE(images);
    EXPECT_NE(images.error().text().find("damaged"), std::string::npos);
    d.put("vgabios-stdvga.bin", std::string("\x55\xaa\x01", 3) + std::string(509, 0));
    EXPECT_TRUE(load_firmware(d.path));
}

TEST(Firmware, an_image_of_ones_own_must_have_the_size_of_a_bios)
{
    Directory d;
    d.put("own.bin", std::string(1000, 0));
    const auto images = load_firmware(d.path / "own.bin");
    ASSERT_FALSE(images);
    EXPECT_NE(images.error().text().find("own.bin is damaged"), std::string::npos);
    EXPECT_NE(images.error().text().find("1000 bytes"), std::string::npos);
}

TEST(Firmware, a_file_is_regular_and_bounded)
{
    Directory d;
    d.put("f", "12345");
    EXPECT_EQ(read_whole_file(d.path / "f", 5, "the kernel")->size(), 5u);
    EXPECT_FALSE(read_whole_file(d.path / "f", 4, "the kernel"));
    EXPECT_FALSE(read_whole_file(d.path, 100, "the kernel"));
    EXPECT_FALSE(read_whole_file("/dev/zero", 100, "the kernel"));
    EXPECT_FALSE(read_whole_file(d.path / "g", 100, "the kernel"));
}
