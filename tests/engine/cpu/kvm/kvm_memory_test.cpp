#include "engine/base/bits.h"
#include "tests/engine/cpu/kvm/kvm_bench.h"

namespace engine::test {

using KvmMemoryTest = KvmBench;

namespace {
constexpr u64 window = 0x80000;

// Reads, writes and reads the word at 8000:0000; the reads end in AX and BX.
constexpr std::initializer_list<u8> read_write_read{0xb8, 0x00, 0x80, 0x8e, 0xd8, 0xa1, 0x00, 0x00, 0xc7, 0x06, 0x00,
                                                    0x00, 0x34, 0x12, 0x8b, 0x1e, 0x00, 0x00, 0xe6, 0x20, 0xeb, 0xfe};

class Registers final : public IoHandler {
public:
    u64 value = 0x5678;
    u64 read(u64, unsigned) override { return value; }
    void write(u64, u64 to, unsigned) override { value = to; }
};
}

TEST_F(KvmMemoryTest, RomIgnoresWrites)
{
    const auto rom = memory_block("ROM", page_size);
    store_le<u16>(rom->data(), 0xabcd);
    memory.add_rom("ROM", window, page_size, 1, *rom, 0);
    put(code_at, read_write_read);
    start();
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(u16(state().gpr[0]), 0xabcd);
    EXPECT_EQ(u16(state().gpr[3]), 0xabcd);
}

TEST_F(KvmMemoryTest, WritesGoToWhatTheViewSays)
{
    const auto rom = memory_block("ROM", page_size);
    store_le<u16>(rom->data(), 0xabcd);
    memory.add_memory("shadow", window, page_size, 1, rom.get(), 0, ram.get(), window);
    put(code_at, read_write_read);
    start();
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(u16(state().gpr[3]), 0xabcd);
    EXPECT_EQ(load_le<u16>(ram->data() + window), 0x1234);
}

TEST_F(KvmMemoryTest, RegistersAndHolesHaveNoSlot)
{
    Registers registers;
    const auto region = memory.add_io("registers", window, page_size, 1, registers);
    put(code_at, read_write_read);
    start();
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(u16(state().gpr[0]), 0x5678);
    EXPECT_EQ(registers.value, 0x1234u);
    EXPECT_EQ(u16(state().gpr[3]), 0x1234);

    // Without the registers RAM shows again, and without RAM nothing answers.
    memory.enable(region, false);
    start();
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(load_le<u16>(ram->data() + window), 0x1234);
    memory.move(ram_region, 0);
    memory.show(ram_region, ram.get(), 0, ram.get(), 0);
    Registers nothing;
    nothing.value = ~u64(0);
    memory.add_io("nothing", window, page_size, 2, nothing);
    start();
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(u16(state().gpr[0]), 0xffff);
}

TEST_F(KvmMemoryTest, LogsWhatTheGuestWrites)
{
    // 4000:0000 and 4000:3001
    put(code_at,
        {0xb8, 0x00, 0x40, 0x8e, 0xd8, 0xc6, 0x06, 0x00, 0x00, 0x01, 0xc6, 0x06, 0x01, 0x30, 0x02, 0xe6, 0x20, 0xeb, 0xfe});
    const auto video = memory_block("video", 0x10000);
    memory.add_ram("video", 0x40000, video->size(), 1, *video, 0);
    const auto take = [&] {
        machine->flag_writes(*video);
        std::vector<u64> pages;
        for (u64 page = 0; page < video->pages(); ++page)
            if (video->take_dirty(page))
                pages.push_back(page);
        return pages;
    };
    EXPECT_EQ(take().size(), video->pages());
    EXPECT_EQ(take().size(), 0u);
    start();
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(take(), (std::vector<u64>{0, 3}));
    EXPECT_EQ(take().size(), 0u);
}

TEST_F(KvmMemoryTest, NoWriteIsLostWhenALoggedSlotGoes)
{
    // Writes to 4000:3001, asks for the map to change, writes to 5000:2000, and stops.
    put(code_at, {0xb8, 0x00, 0x40, 0x8e, 0xd8, 0xc6, 0x06, 0x01, 0x30, 0x02, 0xe6, 0x21, 0xb8,
                  0x00, 0x50, 0x8e, 0xd8, 0xc6, 0x06, 0x00, 0x20, 0x03, 0xe6, 0x20, 0xeb, 0xfe});
    const auto video = memory_block("video", 0x10000);
    const auto region = memory.add_ram("video", 0x40000, video->size(), 1, *video, 0);
    machine->flag_writes(*video);
    const u32 epoch = video->begin_epoch(nullptr);
    handler.on_mark = [&] { memory.move(region, 0x50000); };
    start();
    EXPECT_EQ(run(), VcpuExit::kicked);
    machine->flag_writes(*video);
    for (u64 page = 0; page < video->pages(); ++page)
        EXPECT_EQ(video->written_in(page) > epoch, page == 3 || page == 2) << page;
    EXPECT_EQ(video->written_after(epoch, 0), 2u);
    EXPECT_EQ(video->written_after(epoch, 3), 3u);
    EXPECT_EQ(video->written_after(epoch, 4), video->pages());
}

TEST_F(KvmMemoryTest, ClosedA20ShowsTheFirstMegabyteInTheSecond)
{
    const auto high = memory_block("high", ram_bytes);
    memory.add_ram("high", ram_bytes, ram_bytes, 0, *high, 0);
    // ffff:0010 is 100000, or 0: mov ax, ffff; mov ds, ax; mov word [10], 4242; out 20, al
    put(code_at, {0xb8, 0xff, 0xff, 0x8e, 0xd8, 0xc7, 0x06, 0x10, 0x00, 0x42, 0x42, 0xe6, 0x20, 0xeb, 0xfe});
    memory.set_a20(false);
    start();
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(load_le<u16>(ram->data()), 0x4242);
    EXPECT_EQ(load_le<u16>(high->data()), 0);
    memory.set_a20(true);
    start();
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(load_le<u16>(high->data()), 0x4242);
}

// The slot that holds the code goes and comes back while the code runs.
TEST_F(KvmMemoryTest, MapMayChangeUnderARunningProcessor)
{
    put(code_at, {0xeb, 0xfe});
    Registers registers;
    const auto region = memory.add_io("registers", window, page_size, 1, registers);
    start();
    std::thread thread([this] { EXPECT_EQ(run(), VcpuExit::kicked); });
    for (int n = 0; n < 200; ++n) {
        const std::lock_guard held(lock);
        memory.enable(region, n & 1);
    }
    vcpu().kick();
    thread.join();
    EXPECT_EQ(state().rip, code_at);
}

}
