#pragma once
// A machine whose firmware is a few instructions: for each byte that comes over the serial line it says the next letter of
// the alphabet, which it keeps in memory. Whoever hears it knows where in its life it is.

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

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
        : folder(std::filesystem::temp_directory_path() / ("paddock-" + name + "." + std::to_string(getpid())))
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
    void clean() { std::filesystem::remove_all(folder); }

    void write_firmware() const
    {
        std::string bios(256 << 10, '\xf4'), vga(2048, '\0');
        const unsigned char reset[] = {0xea, 0x00, 0x00, 0x00, 0xf0};    // jmp f000:0000
        const unsigned char program[] = {
            0x31, 0xc0, 0x8e, 0xd8,    // xor ax, ax; mov ds, ax
            0xc6, 0x06, 0x00, 0x06, 'a',    // mov byte [600], 'a'
            0xba, 0xfd, 0x03, 0xec,    // wait: mov dx, 3fd; in al, dx
            0xa8, 0x01, 0x74, 0xf8,    // test al, 1; jz wait
            0xba, 0xf8, 0x03, 0xec,    // mov dx, 3f8; in al, dx
            0xa0, 0x00, 0x06, 0xee,    // mov al, [600]; out dx, al
            0xfe, 0x06, 0x00, 0x06,    // inc byte [600]
            0xeb, 0xe8,    // jmp wait
        };
        bios.replace((256 << 10) - 16, sizeof reset, reinterpret_cast<const char*>(reset), sizeof reset);
        bios.replace((256 << 10) - (64 << 10), sizeof program, reinterpret_cast<const char*>(program), sizeof program);
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
    std::string ask(unsigned count)
    {
        {
            const std::lock_guard lock(mutex);
            heard.clear();
        }
        for (unsigned n = 0; n < count; ++n) {
            machine->serial_input("x");
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
        note([] { });
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

}
