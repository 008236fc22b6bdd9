// The keeper with KVM's own log of what a guest writes.
#include <cstring>
#include <filesystem>

#include <unistd.h>

#include "engine/snapshot/memory_keeper.h"
#include "tests/engine/cpu/kvm/kvm_bench.h"

namespace engine::test {

class KvmMemoryKeeper : public KvmBench {
protected:
    ~KvmMemoryKeeper() override
    {
        if (guest.joinable())
            halt();
        std::filesystem::remove_all(directory);
    }

    std::vector<u8> content() const { return {ram->data(), ram->data() + ram->size()}; }
    std::vector<u8> read(const SharedTables& tables)
    {
        std::vector<u8> bytes(ram->size());
        const PageTable& table = tables->at("RAM");
        for (u64 page = 0; page < table.size(); ++page) {
            if (!table[page])
                continue;
            const auto chunk = store.read(table[page]);
            EXPECT_TRUE(chunk);
            if (chunk)
                std::memcpy(&bytes[page * page_size], chunk.value()->page(slot_of(table[page])), page_size);
        }
        return bytes;
    }
    void go()
    {
        guest = std::thread([this] { EXPECT_EQ(run(), VcpuExit::kicked); });
    }
    void halt()
    {
        vcpu().kick();
        guest.join();
    }
    void read_log()
    {
        const std::lock_guard held(lock);
        machine->flag_writes(*ram);
    }

    std::filesystem::path directory = std::filesystem::temp_directory_path() / ("paddock-kvm-keeper." + std::to_string(getpid()));
    bool made = std::filesystem::create_directory(directory);
    PageStore store{directory};
    std::thread guest;
};

TEST_F(KvmMemoryKeeper, SavesWhatMemoryHeldWhileTheGuestWritesWithoutPause)
{
    // next: mov ax, ds | add ax, 100h | cmp ax, 0f000h | jb on | mov ax, 1000h | on: mov ds, ax | inc word [0] | jmp next
    put(code_at, {0x8c, 0xd8, 0x05, 0x00, 0x01, 0x3d, 0x00, 0xf0, 0x72, 0x03, 0xb8,
                  0x00, 0x10, 0x8e, 0xd8, 0xff, 0x06, 0x00, 0x00, 0xeb, 0xeb});
    x86::CpuState s = real_mode();
    s.segments[x86::ds] = {.selector = 0x1000, .attributes = 0x93, .limit = 0xffff, .base = 0x10000};
    start(s);
    MemoryKeeper keeper({ram.get()}, MemoryKeeper::Writers::logged);
    const auto reader = [this](const std::function<void()>& then) {
        read_log();
        then();
    };
    std::vector<u8> last;
    go();
    for (unsigned n = 0; n < 20; ++n) {
        ASSERT_TRUE(store.begin(std::string(14, '0') + std::to_string(10 + n)));
        ASSERT_TRUE(keeper.copy_ahead(store, reader, {}));
        halt();
        read_log();
        const auto before = content();
        const auto writing = keeper.freeze();
        EXPECT_EQ(writing, MemoryKeeper::Writing::goes_on);
        go();
        const auto tables = keeper.save(store, {});
        ASSERT_TRUE(tables);
        ASSERT_TRUE(store.finish());
        keeper.accept(tables.value());
        keeper.release();
        EXPECT_EQ(read(tables.value()), before);
        last = before;
    }
    halt();
    EXPECT_NE(content(), last);
}

}
