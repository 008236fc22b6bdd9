#pragma once
// A machine whose firmware is a few instructions. For each byte that comes over the serial line it says the next letter of
// the alphabet, which it keeps in memory: whoever hears it knows where in its life it is. For a 'w' it fills the disk's
// first sector with that letter and says 'W', for an 'r' it says what stands there.

#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <span>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "engine/engine.h"

namespace engine {

struct SnapshotMachine : Listener {
    std::filesystem::path folder;
    MachineDefinition definition;
    std::unique_ptr<Machine> machine;

    std::mutex mutex;
    std::condition_variable changed;
    std::string heard, trouble;
    std::vector<SnapshotInfo> taken;
    std::vector<std::string> restored;
    std::optional<StopReason> end;

    explicit SnapshotMachine(const std::string& name, bool fresh = true)
        : folder(place() / ("paddock-" + name + "." + std::to_string(getpid())))
    {
        if (fresh) {
            std::filesystem::remove_all(folder);
            std::filesystem::create_directories(folder);
            write_firmware();
        }
        definition.memory_mib = 8;
        definition.firmware = folder;
        definition.snapshots = folder / "snapshots";
        definition.accelerator = Accelerator::translator;
    }
    ~SnapshotMachine() override { machine.reset(); }
    // With the machine, which may be writing there.
    void clean()
    {
        machine.reset();
        std::filesystem::remove_all(folder);
    }
    // In memory where possible: nothing here depends on the disk.
    static std::filesystem::path place()
    {
        return std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
    }

    void write_firmware() const
    {
        // Assembled from:
        //         xor ax, ax | mov ds, ax | mov byte [600h], 'a'
        //         mov eax, 80000904h | mov dx, 0cf8h | out dx, eax | mov dx, 0cfch | mov al, 1 | out dx, al    ; IDE's ports
        //     next: mov dx, 3fdh | in al, dx | test al, 1 | jz next | mov dx, 3f8h | in al, dx
        //         cmp al, 'w' | je write | cmp al, 'r' | je read
        //         mov al, [600h] | mov dx, 3f8h | out dx, al | inc byte [600h] | jmp next
        //     command:    ; bl, for sector 0 of the first disk
        //         mov dx, 1f6h | mov al, 0e0h | out dx, al | mov dx, 1f2h | mov al, 1 | out dx, al
        //         inc dx | xor al, al | out dx, al | inc dx | out dx, al | inc dx | out dx, al
        //         mov dx, 1f7h | mov al, bl | out dx, al
        //     drq: in al, dx | test al, 8 | jz drq | mov dx, 1f0h | mov cx, 256 | ret
        //     write: xor ax, ax | mov ss, ax | mov sp, 700h | mov bl, 30h | call command | mov al, [600h] | mov ah, al
        //     fill: out dx, ax | loop fill | mov dx, 1f7h
        //     busy: in al, dx | test al, 80h | jnz busy | mov al, 'W' | jmp say
        //     read: xor ax, ax | mov ss, ax | mov sp, 700h | mov bl, 20h | call command
        //     empty: in ax, dx | loop empty
        //     say: mov dx, 3f8h | out dx, al | jmp next
        const unsigned char program[] = {
            0x31, 0xc0, 0x8e, 0xd8, 0xc6, 0x06, 0x00, 0x06, 0x61, 0x66, 0xb8, 0x04, 0x09, 0x00, 0x80, 0xba, 0xf8, 0x0c, 0x66,
            0xef, 0xba, 0xfc, 0x0c, 0xb0, 0x01, 0xee, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf8, 0xba, 0xf8, 0x03, 0xec,
            0x3c, 0x77, 0x74, 0x37, 0x3c, 0x72, 0x74, 0x53, 0xa0, 0x00, 0x06, 0xba, 0xf8, 0x03, 0xee, 0xfe, 0x06, 0x00, 0x06,
            0xeb, 0xdf, 0xba, 0xf6, 0x01, 0xb0, 0xe0, 0xee, 0xba, 0xf2, 0x01, 0xb0, 0x01, 0xee, 0x42, 0x30, 0xc0, 0xee, 0x42,
            0xee, 0x42, 0xee, 0xba, 0xf7, 0x01, 0x88, 0xd8, 0xee, 0xec, 0xa8, 0x08, 0x74, 0xfb, 0xba, 0xf0, 0x01, 0xb9, 0x00,
            0x01, 0xc3, 0x31, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x07, 0xb3, 0x30, 0xe8, 0xce, 0xff, 0xa0, 0x00, 0x06, 0x88, 0xc4,
            0xef, 0xe2, 0xfd, 0xba, 0xf7, 0x01, 0xec, 0xa8, 0x80, 0x75, 0xfb, 0xb0, 0x57, 0xeb, 0x0f, 0x31, 0xc0, 0x8e, 0xd0,
            0xbc, 0x00, 0x07, 0xb3, 0x20, 0xe8, 0xae, 0xff, 0xed, 0xe2, 0xfd, 0xba, 0xf8, 0x03, 0xee, 0xeb, 0x84,
        };
        write_firmware(program);
    }
    void write_firmware(std::span<const unsigned char> program) const
    {
        std::string bios(256 << 10, '\xf4'), vga(2048, '\0');
        const unsigned char reset[] = {0xea, 0x00, 0x00, 0x00, 0xf0};    // jmp f000:0000
        bios.replace((256 << 10) - 16, sizeof reset, reinterpret_cast<const char*>(reset), sizeof reset);
        bios.replace((256 << 10) - (64 << 10), program.size(), reinterpret_cast<const char*>(program.data()), program.size());
        vga.replace(0, 3, "\x55\xaa\x04");
        std::ofstream(folder / "bios-256k.bin", std::ios::binary) << bios;
        std::ofstream(folder / "vgabios-stdvga.bin", std::ios::binary) << vga;
    }

    Result<void> open()
    {
        machine.reset();
        end.reset();
        auto made = Machine::create(definition, *this);
        if (!made)
            return made.error();
        machine = std::move(*made);
        return {};
    }
    void start()
    {
        const auto opened = open();
        ASSERT_TRUE(opened) << opened.error().text();
        machine->start();
        ASSERT_TRUE(wait([&] { return machine->state() == MachineState::running || end; }));
    }
    // What the guest says to `count` bytes.
    std::string ask(unsigned count, const char* byte = "x")
    {
        {
            const std::lock_guard lock(mutex);
            heard.clear();
        }
        for (unsigned n = 0; n < count; ++n) {
            machine->serial_input(byte);
            wait([&] { return heard.size() > n; });
        }
        const std::lock_guard lock(mutex);
        return heard;
    }
    SnapshotInfo take(const std::string& name)
    {
        const std::size_t before = taken.size();
        const auto asked = machine->take_snapshot({.name = name, .note = "a note"});
        EXPECT_TRUE(asked) << asked.error().text();
        EXPECT_TRUE(wait([&] { return taken.size() > before || !trouble.empty(); }));
        EXPECT_EQ(trouble, "");
        return taken.size() > before ? taken.back() : SnapshotInfo{};
    }
    void go_back(const std::string& id)
    {
        const std::size_t before = restored.size();
        const auto asked = machine->restore_snapshot(id);
        ASSERT_TRUE(asked) << asked.error().text();
        ASSERT_TRUE(wait([&] { return restored.size() > before || !trouble.empty(); }));
        ASSERT_EQ(trouble, "");
    }

    template <class Condition> bool wait(Condition condition)
    {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(60), condition);
    }
    template <class Change> void note(Change change)
    {
        {
            const std::lock_guard lock(mutex);
            change();
        }
        changed.notify_all();
    }
    void state_changed(MachineState) override
    {
        note([] {});
    }
    void serial_output(std::string_view bytes) override
    {
        note([&] { heard += bytes; });
    }
    void snapshot_taken(const SnapshotInfo& info) override
    {
        note([&] { taken.push_back(info); });
    }
    void snapshot_failed(const Error& error) override
    {
        note([&] { trouble = error.text(); });
    }
    void snapshot_restored(const std::string& id) override
    {
        note([&] { restored.push_back(id); });
    }
    void restore_failed(const Error& error) override
    {
        note([&] { trouble = error.text(); });
    }
    void stopped(const StopReason& reason) override
    {
        note([&] { end = reason; });
    }
};

// With two disks and a disc.
struct WithDisks : SnapshotMachine {
    explicit WithDisks(const std::string& name) : SnapshotMachine(name)
    {
        for (const char* disk : {"first.img", "second.img"}) {
            std::ofstream(folder / disk).put('\0');
            std::filesystem::resize_file(folder / disk, 1 << 20);
            definition.disks.push_back(folder / disk);
        }
        std::ofstream(folder / "disc.iso").put('\0');
        std::filesystem::resize_file(folder / "disc.iso", 1 << 20);
        definition.cdrom = folder / "disc.iso";
    }
};

// A child starts the machine and does `work` with it, turn by turn, until it is killed after `time`.
inline void work_until_killed(SnapshotMachine& pc, std::chrono::milliseconds time, const std::function<void(unsigned turn)>& work)
{
    constexpr unsigned most_turns = 1000;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        if (!pc.open())
            ::_exit(1);
        pc.machine->start();
        for (unsigned turn = 0; turn < most_turns; ++turn)
            work(turn);
        ::_exit(0);
    }
    std::this_thread::sleep_for(time);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself";
}

inline std::unique_ptr<SnapshotTree> tree_of(const SnapshotMachine& machine)
{
    return std::move(*SnapshotTree::open(machine.definition.snapshots));
}

}
