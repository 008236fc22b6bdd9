#include "engine/machine/firmware/direct_boot.h"

#include <filesystem>
#include <fstream>
#include <numeric>

#include <gtest/gtest.h>

#include "engine/base/bits.h"
#include "engine/machine/firmware/boot_rom.h"

using namespace engine;

namespace {
const BoardDescription board{.low_memory = 0x1000000};    // 16 MiB

std::vector<u8> linux_kernel(std::size_t payload = 0x3000)
{
    std::vector<u8> file(5 * 512 + payload);
    file[0x1f1] = 4;
    store_le<u16>(&file[0x1fe], 0xaa55);
    store_le<u32>(&file[0x202], 0x53726448);
    store_le<u16>(&file[0x206], 0x20f);
    file[0x211] = 1;
    store_le<u32>(&file[0x22c], 0x7fffffff);
    store_le<u32>(&file[0x238], 255);
    store_le<u64>(&file[0x258], 0x100000);
    store_le<u32>(&file[0x260], 0x200000);
    file[5 * 512] = 0xea;
    return file;
}

std::vector<u8> multiboot_elf(bool wide)
{
    std::vector<u8> file(0x200);
    store_le<u32>(&file[0], 0x464c457f);
    file[4] = wide ? 2 : 1;
    file[5] = 1;
    store_le<u16>(&file[18], wide ? 62 : 3);
    const std::size_t header = 64, segment = 128;
    store_le<u32>(&file[header], 0x1badb002);
    store_le<u32>(&file[header + 4], 3);
    store_le<u32>(&file[header + 8], 0u - 0x1badb002 - 3);
    if (wide) {
        store_le<u64>(&file[24], 0xffffffff80100010);
        store_le<u64>(&file[32], segment);
        store_le<u16>(&file[54], 56);
        store_le<u16>(&file[56], 1);
        store_le<u32>(&file[segment], 1);
        store_le<u64>(&file[segment + 8], 0x100);
        store_le<u64>(&file[segment + 16], 0xffffffff80100000);
        store_le<u64>(&file[segment + 24], 0x100000);
        store_le<u64>(&file[segment + 32], 0x100);
        store_le<u64>(&file[segment + 40], 0x3000);
    } else {
        store_le<u32>(&file[24], 0x100010);
        store_le<u32>(&file[28], segment);
        store_le<u16>(&file[42], 32);
        store_le<u16>(&file[44], 1);
        for (const auto& [at, value] :
             {std::pair{0, 1u}, {4, 0x100u}, {8, 0x100000u}, {12, 0x100000u}, {16, 0x100u}, {20, 0x3000u}})
            store_le<u32>(&file[segment + std::size_t(at)], value);
    }
    file[0x110] = 0xf4;
    return file;
}

struct Guest {
    std::unique_ptr<MemoryBlock> ram = std::move(*MemoryBlock::create("ram", board.low_memory));
    AddressSpace memory;
    x86::CpuState cpu;
    Guest()
    {
        std::fill_n(ram->data(), ram->size(), u8(0xcc));
        memory.add_ram("low", 0, 0xa0000, 0, *ram, 0);
        memory.add_ram("high", 0x100000, board.low_memory - 0x100000, 0, *ram, 0x100000);
        cpu.cr0 = 0x80000011;
        cpu.efer = 0x500;
    }
    u32 word(u64 at) const { return load_le<u32>(ram->data() + at); }
    std::string text(u64 at) const { return reinterpret_cast<const char*>(ram->data() + at); }
};
}

TEST(DirectBoot, enters_linux_in_real_mode)
{
    const std::vector<u8> kernel = linux_kernel(), initrd(5000, 0x1d);
    const auto plan = plan_linux({"vmlinuz", kernel, initrd, "console=ttyS0 vga=0x317 quiet"}, board);
    ASSERT_TRUE(plan);
    Guest g;
    ASSERT_TRUE(load_pieces(plan.value(), g.memory));
    set_entry_state(plan.value(), g.cpu);

    EXPECT_EQ(g.cpu.segments[x86::cs].selector, 0x1020);
    EXPECT_EQ(g.cpu.segments[x86::ds].base, 0x10000u);
    EXPECT_EQ(g.cpu.rip, 0u);
    EXPECT_EQ(g.cpu.gpr[4], 0xe000u);
    EXPECT_EQ(g.cpu.cr0, 0x10u);
    EXPECT_EQ(g.cpu.efer, 0u);
    EXPECT_EQ(g.word(0x10202), 0x53726448u);
    EXPECT_EQ(g.ram->data()[0x10210], 0xff);
    EXPECT_EQ(g.ram->data()[0x10211], 0x81);
    EXPECT_EQ(g.word(0x101fa) & 0xffff, 0x317u);
    EXPECT_EQ(g.text(g.word(0x10228)), "console=ttyS0 vga=0x317 quiet");
    const u32 initrd_at = g.word(0x10218);
    EXPECT_EQ(g.word(0x1021c), 5000u);
    EXPECT_EQ(initrd_at % page_size, 0u);
    EXPECT_GE(initrd_at, 0x300000u);
    EXPECT_EQ(g.ram->data()[initrd_at + 4999], 0x1d);
    EXPECT_EQ(g.ram->data()[0x100000], 0xea);
}

TEST(DirectBoot, refuses_what_does_not_fit_and_says_why)
{
    const std::vector<u8> kernel = linux_kernel(), huge(0xd00000);
    const auto plan = [&](const std::vector<u8>& k, const std::vector<u8>& initrd, const std::string& line) {
        return plan_linux({"vmlinuz", k, initrd, line}, board);
    };
    EXPECT_FALSE(plan(kernel, {}, std::string(256, 'x')));
    EXPECT_TRUE(plan(kernel, {}, std::string(255, 'x')));
    EXPECT_FALSE(plan(kernel, huge, ""));
    std::vector<u8> changed = kernel;
    store_le<u32>(&changed[0x260], 0xffffffff);
    const auto greedy = plan(changed, {}, "");
    ASSERT_FALSE(greedy);
    EXPECT_NE(greedy.error().why.find("MiB of memory"), std::string::npos);
    store_le<u64>(&changed[0x258], ~u64(0));
    EXPECT_FALSE(plan(changed, {}, ""));
    changed = kernel;
    changed[0x211] = 0;
    EXPECT_FALSE(plan(changed, {}, ""));
    changed = kernel;
    changed[0x1f1] = 200;
    EXPECT_FALSE(plan(changed, {}, ""));
}

TEST(DirectBoot, truncated_kernels_are_errors)
{
    const std::vector<u8> kernel = linux_kernel(), initrd;
    for (std::size_t size = 0; size <= 5 * 512; size += 7)
        EXPECT_FALSE(plan_linux({"k", std::span(kernel).first(size), initrd, ""}, board)) << size;
    for (const bool wide : {false, true}) {
        const std::vector<u8> elf = multiboot_elf(wide);
        for (std::size_t size = 0; size < elf.size(); ++size)
            EXPECT_FALSE(plan_multiboot({"k", std::span(elf).first(size), initrd, ""}, board)) << size;
    }
}

TEST(DirectBoot, enters_multiboot_kernels_in_protected_mode)
{
    for (const bool wide : {false, true}) {
        const std::vector<u8> kernel = multiboot_elf(wide), initrd(100, 0x1d);
        const auto plan = plan_multiboot({"test.flat", kernel, initrd, "one two"}, board);
        ASSERT_TRUE(plan);
        Guest g;
        ASSERT_TRUE(load_pieces(plan.value(), g.memory));
        set_entry_state(plan.value(), g.cpu);
        EXPECT_EQ(g.cpu.gpr[0], 0x2badb002u);
        EXPECT_EQ(g.cpu.rip, 0x100010u);
        EXPECT_EQ(g.cpu.cr0, 0x11u);
        EXPECT_EQ(g.cpu.segments[x86::cs].attributes, 0xc09b);
        EXPECT_EQ(g.cpu.segments[x86::ss].limit, 0xffffffffu);
        EXPECT_EQ(g.ram->data()[0x100010], 0xf4);
        EXPECT_EQ(g.ram->data()[0x102fff], 0);    // the part that the file does not hold
        EXPECT_EQ(g.ram->data()[0x103000 + 99], 0x1d);

        const u64 info = g.cpu.gpr[3];
        EXPECT_EQ(g.word(info), 0x24du);
        EXPECT_EQ(g.word(info + 4), 639u);
        EXPECT_EQ(g.word(info + 8), 14u * 1024);
        EXPECT_EQ(g.text(g.word(info + 16)), "test.flat one two");
        EXPECT_EQ(g.word(info + 20), 1u);
        EXPECT_EQ(g.word(g.word(info + 24)), 0x103000u);
        EXPECT_EQ(g.word(g.word(info + 24) + 4), 0x103064u);
        u64 ram = 0;
        for (u64 at = g.word(info + 48); at < g.word(info + 48) + g.word(info + 44); at += g.word(at) + 4)
            if (g.word(at + 20) == 1)
                ram += g.word(at + 12);
        EXPECT_EQ(ram, 0x9fc00u + 0xe00000);
        EXPECT_EQ(g.cpu.gdtr.limit, 0x17);
        EXPECT_EQ(g.word(g.cpu.gdtr.base + 12), 0x00cf9b00u);
    }
}

TEST(DirectBoot, loads_by_the_headers_addresses)
{
    std::vector<u8> kernel(0x100), none;
    const u32 flags = 0x10000, base = 0x200000;
    for (const auto& [at, value] :
         {std::pair{0, 0x1badb002u},
          {4, flags},
          {8, 0u - 0x1badb002 - flags},
          {12, base + 0x10},
          {16, base},
          {20, 0u},
          {24, base + 0x2000},
          {28, base + 0x40}})
        store_le<u32>(&kernel[0x10 + std::size_t(at)], value);
    kernel[0xff] = 0x99;
    const auto plan = plan_multiboot({"k", kernel, none, ""}, board);
    ASSERT_TRUE(plan);
    Guest g;
    ASSERT_TRUE(load_pieces(plan.value(), g.memory));
    EXPECT_EQ(plan.value().instruction_pointer, base + 0x40);
    EXPECT_EQ(g.ram->data()[base + 0xff], 0x99);
    EXPECT_EQ(g.ram->data()[base + 0x1fff], 0);
    EXPECT_EQ(g.ram->data()[base + 0x2000], 0xcc);

    store_le<u32>(&kernel[0x10 + 12], base - 1);    // the header before its own load address
    EXPECT_FALSE(plan_multiboot({"k", kernel, none, ""}, board));
    store_le<u32>(&kernel[0x10 + 12], base + 0x11);    // the file would have to begin earlier
    EXPECT_FALSE(plan_multiboot({"k", kernel, none, ""}, board));
}

TEST(DirectBoot, kernels_stay_out_of_the_legacy_hole_and_the_firmware)
{
    std::vector<u8> none;
    for (const u32 address : {0x9f000u, 0xa0000u, 0xf0000u, 0xefff00u, 0xfffff000u}) {
        std::vector<u8> kernel = multiboot_elf(false);
        store_le<u32>(&kernel[128 + 12], address);
        EXPECT_FALSE(plan_multiboot({"k", kernel, none, ""}, board)) << address;
    }
}

TEST(DirectBoot, reads_files_and_explains_strangers)
{
    const std::string path = testing::TempDir() + "paddock-direct-boot";
    std::ofstream(path) << "hello";
    const auto stranger = DirectBoot::prepare(path, "", "", board);
    ASSERT_FALSE(stranger);
    EXPECT_NE(stranger.error().why.find("neither"), std::string::npos);
    EXPECT_FALSE(DirectBoot::prepare(path + "-missing", "", "", board));
    const std::vector<u8> kernel = linux_kernel();
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(kernel.data()), long(kernel.size()));
    const auto boot = DirectBoot::prepare(path, "", "quiet", board);
    ASSERT_TRUE(boot);
    Guest g;
    EXPECT_TRUE(boot.value()->install(g.memory, g.cpu));
    EXPECT_EQ(g.ram->data()[0x100000], 0xea);
    AddressSpace nothing;
    EXPECT_FALSE(boot.value()->install(nothing, g.cpu));
    std::filesystem::remove(path);
}

TEST(BootRom, is_a_valid_plug_and_play_rom)
{
    EXPECT_EQ(boot_rom[0], 0x55);
    EXPECT_EQ(boot_rom[2] * 512u, boot_rom.size());
    EXPECT_EQ(std::accumulate(boot_rom.begin(), boot_rom.end(), u8(0)), 0);
    const u8* pnp = &boot_rom[load_le<u16>(&boot_rom[0x1a])];
    EXPECT_EQ(load_le<u32>(pnp), load_le<u32>("$PnP"));
    EXPECT_EQ(std::accumulate(pnp, pnp + 16 * pnp[5], u8(0)), 0);
    EXPECT_EQ(boot_rom[load_le<u16>(pnp + 0x1a)], 0xfa);
    EXPECT_STREQ(reinterpret_cast<const char*>(&boot_rom[load_le<u16>(pnp + 0x10)]), "Paddock direct boot");
}

TEST(BootRom, the_port_asks_once_per_start)
{
    PortSpace ports;
    int asked = 0;
    BootPort port([&] { ++asked; });
    port.claim(ports);
    ports.write(0x5f8, 0, 1);
    EXPECT_EQ(asked, 0);
    ports.write(0x5f8, 1, 1);
    EXPECT_EQ(asked, 1);
}
