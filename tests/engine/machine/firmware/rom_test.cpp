#include "engine/machine/firmware/rom.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "engine/engine.h"

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

TEST(Firmware, an_image_with_its_settings_beside_it_is_a_flash_chip)
{
    Directory d;
    d.put("MY_CODE_4M.fd", std::string(200 * 1024 - 4096, 'c'));
    const auto alone = load_firmware(d.path / "MY_CODE_4M.fd");
    ASSERT_FALSE(alone);
    EXPECT_NE(alone.error().why.find("MY_VARS_4M.fd"), std::string::npos);
    d.put("MY_VARS_4M.fd", std::string(132 * 4096, 'v'));
    const auto both = load_firmware(d.path / "MY_CODE_4M.fd");
    ASSERT_TRUE(both) << both.error().text();
    EXPECT_EQ(both.value().bios.size(), 200u * 1024 - 4096);
    EXPECT_EQ(both.value().variables.size(), 132u * 4096);
    for (const std::size_t wrong : {std::size_t(0), std::size_t(4097), std::size_t(5) << 20}) {
        d.put("MY_VARS_4M.fd", std::string(wrong, 'v'));
        EXPECT_FALSE(load_firmware(d.path / "MY_CODE_4M.fd")) << wrong;
    }
}

TEST(Firmware, debians_uefi_is_there_or_its_package_is_named)
{
    const auto images = load_firmware(MachineDefinition::uefi);
    EXPECT_EQ(bool(images), has_uefi());
    if (images)
        EXPECT_GE(images.value().variables.size(), 128u * 1024);
    else
        EXPECT_NE(images.error().what_to_do.find("ovmf"), std::string::npos);
}
