// The machine that tests/guest/kill-9.sh kills: a Linux guest with a disk and a place for snapshots, its serial port on the
// standard streams.
//
//     kill_machine run CACHE DISK SNAPSHOTS KERNEL INITRD [ID]    starts, from the snapshot ID where one is given. A line
//         "@snapshot NAME" on standard input takes one, and "@taken ID" says when it is kept; "@off" ends it.
//     kill_machine read IMAGE FOLDER FILE    writes what the disk IMAGE holds into FILE; images below may lie in FOLDER

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <mutex>
#include <string>

#include <unistd.h>

#include "engine/block/open_image.h"
#include "engine/engine.h"

using namespace engine;

namespace {

class Ears final : public Listener {
public:
    void serial_output(std::string_view bytes) override { say(std::string(bytes)); }
    void snapshot_taken(const SnapshotInfo& snapshot) override { say("\n@taken " + snapshot.id + "\n"); }
    void snapshot_failed(const Error& error) override { say("\n@failed " + error.text() + "\n"); }
    void state_changed(MachineState state) override
    {
        if (state == MachineState::running)
            say("\n@running\n");
    }
    void stopped(const StopReason&) override
    {
        {
            const std::lock_guard lock(mutex_);
            stopped_ = true;
        }
        changed_.notify_all();
    }
    void wait_stopped()
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopped_; });
    }

private:
    // At once, so that nothing that was said is lost when the process is killed.
    void say(const std::string& text)
    {
        const std::lock_guard lock(mutex_);
        if (::write(STDOUT_FILENO, text.data(), text.size()) < 0)
            stopped_ = true;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool stopped_ = false;
};

int trouble(const Error& error)
{
    std::fprintf(stderr, "kill_machine: %s\n", error.text().c_str());
    return 1;
}

int run(int argc, char** argv)
{
    MachineDefinition definition;
    definition.memory_mib = 128;
    definition.accelerator = Accelerator::translator;
    definition.disk_caches = {argv[2]};
    definition.disks = {argv[3]};
    definition.disk_formats = {"qcow2"};
    definition.snapshots = argv[4];
    definition.kernel = argv[5];
    definition.initrd = argv[6];
    definition.append = "console=ttyS0 quiet";
    definition.start_from = argc > 7 ? argv[7] : MachineDefinition::start_cold;
    Ears ears;
    auto machine = Machine::create(definition, ears);
    if (!machine)
        return trouble(machine.error());
    (*machine)->start();
    for (std::string line; std::getline(std::cin, line);) {
        if (line == "@off")
            break;
        if (!line.starts_with("@snapshot "))
            (*machine)->serial_input(line + "\n");
        else if (auto asked = (*machine)->take_snapshot({.name = line.substr(10), .note = {}}); !asked)
            trouble(asked.error());
    }
    (*machine)->power_off();
    ears.wait_stopped();
    return 0;
}

int read(char** argv)
{
    const auto layer = open_layer(argv[2], ImageAccess::read_only, {.format = ImageFormat::qcow2, .trusted_folders = {argv[3]}});
    if (!layer)
        return trouble(layer.error());
    std::ofstream file(argv[4], std::ios::binary);
    std::vector<u8> bytes(1 << 20);
    const u64 size = layer.value()->size();
    for (u64 offset = 0; offset < size; offset += bytes.size()) {
        const u64 length = std::min<u64>(bytes.size(), size - offset);
        if (const BlockResult found = read_layer(*layer.value(), offset, {bytes}, length); !found.ok())
            return trouble(found.error);
        file.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(length));
    }
    return file.flush() ? 0 : 1;
}

}

int main(int argc, char** argv)
{
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "run" && argc >= 7)
        return run(argc, argv);
    if (what == "read" && argc == 5)
        return read(argv);
    std::fputs("kill_machine run|read …: see kill_machine.cpp\n", stderr);
    return 2;
}
