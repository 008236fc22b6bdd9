// Measures snapshots of a Linux guest: how long it stands still, how long the whole takes, how large the second one is, and
// how soon a new process runs the guest's next instruction. tests/bench/run snapshot calls it and explains the figures.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "engine/engine.h"
#include "engine/memory/memory_block.h"

namespace {

using namespace engine;
using Time = std::chrono::steady_clock::time_point;

double milliseconds(Time from, Time to)
{
    return std::chrono::duration<double, std::milli>(to - from).count();
}
Time now()
{
    return std::chrono::steady_clock::now();
}

struct Ears final : Listener {
    std::mutex mutex;
    std::condition_variable changed;
    std::string serial;
    std::optional<SnapshotInfo> taken;
    std::string trouble;
    bool restored = false, stopped_now = false;
    std::optional<Time> running_since, first_frame;
    std::atomic<bool> echo = false;

    template <class Change> void note(Change change)
    {
        {
            const std::lock_guard lock(mutex);
            change();
        }
        changed.notify_all();
    }
    template <class Condition> bool wait(Condition condition, int seconds = 120)
    {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(seconds), [&] { return condition() || !trouble.empty(); })
            && trouble.empty();
    }
    void serial_output(std::string_view bytes) override
    {
        if (echo)
            std::fwrite(bytes.data(), 1, bytes.size(), stderr);
        note([&] { serial += bytes; });
    }
    void state_changed(MachineState state) override
    {
        if (state == MachineState::running)
            note([&] { running_since = running_since.value_or(now()); });
    }
    void frame_ready() override
    {
        note([&] { first_frame = first_frame.value_or(now()); });
    }
    void snapshot_taken(const SnapshotInfo& info) override
    {
        note([&] { taken = info; });
    }
    void snapshot_failed(const Error& error) override
    {
        note([&] { trouble = error.text(); });
    }
    void snapshot_restored(const std::string&) override
    {
        note([&] { restored = true; });
    }
    void restore_failed(const Error& error) override
    {
        note([&] { trouble = error.text(); });
    }
    void stopped(const StopReason& reason) override
    {
        note([&] {
            stopped_now = true;
            if (reason.kind == StopReason::Kind::crashed)
                trouble = "stopped: " + reason.text;
        });
    }
};

[[noreturn]] void give_up(const std::string& why)
{
    std::fprintf(stderr, "snapshot_bench: %s\n", why.c_str());
    std::exit(1);
}

struct Options {
    std::map<std::string, std::string> values;
    std::string get(const char* name, const char* otherwise = "") const
    {
        const auto found = values.find(name);
        return found == values.end() ? otherwise : found->second;
    }
    int number(const char* name, int otherwise) const
    {
        const auto found = values.find(name);
        return found == values.end() ? otherwise : std::atoi(found->second.c_str());
    }
};

MachineDefinition definition_from(const Options& options)
{
    MachineDefinition definition;
    definition.memory_mib = u64(options.number("memory", 512));
    definition.cpus = unsigned(options.number("cpus", 1));
    const std::map<std::string, Accelerator> accelerators{
        {"translator", Accelerator::translator}, {"interpreter", Accelerator::interpreter}, {"kvm", Accelerator::kvm}};
    const auto accelerator = accelerators.find(options.get("accel", "translator"));
    if (accelerator == accelerators.end())
        give_up("there is no accelerator " + options.get("accel"));
    definition.accelerator = accelerator->second;
    if (!options.get("firmware").empty())
        definition.firmware = options.get("firmware");
    definition.kernel = options.get("kernel");
    definition.initrd = options.get("initrd");
    if (!definition.kernel.empty())
        definition.append = options.get("append", "console=ttyS0 quiet");
    definition.cdrom = options.get("cdrom");
    definition.floppy = options.get("floppy");
    for (const char* disk : {"disk", "disk2"})
        if (!options.get(disk).empty())
            definition.disks.push_back(options.get(disk));
    definition.snapshots = options.get("directory");
    definition.start_from = options.get("from");
    return definition;
}

double percentile(std::vector<double> values, double share)
{
    if (values.empty())
        return 0;
    std::ranges::sort(values);
    // The least of the values that `share` of them don't exceed.
    const auto rank = std::size_t(std::ceil(share * double(values.size())));
    return values[std::max<std::size_t>(rank, 1) - 1];
}

// Types a sum and waits for the guest's answer; bare_writer.S answers anything.
bool answers(Machine& machine, Ears& ears, const Options& options, int number)
{
    if (options.number("bare", 0)) {
        const auto said = [&] { return std::ranges::count(ears.serial, '='); };
        std::ptrdiff_t before = 0;
        ears.note([&] { before = said(); });
        machine.serial_input("x");
        return ears.wait([&] { return said() > before; }, 60);
    }
    const std::string sum = std::to_string(number) + "+1000", answer = "=" + std::to_string(number + 1000);
    machine.serial_input("\necho =$((" + sum + "))\n");
    return ears.wait([&] { return ears.serial.find(answer) != std::string::npos; }, 60);
}

SnapshotInfo take(Machine& machine, Ears& ears, double& whole)
{
    ears.note([&] { ears.taken.reset(); });
    const Time began = now();
    if (auto asked = machine.take_snapshot({.name = "bench", .note = {}}); !asked)
        give_up(asked.error().text());
    if (!ears.wait([&] { return ears.taken.has_value(); }, 600))
        give_up("no snapshot: " + ears.trouble);
    whole = milliseconds(began, now());
    return *ears.taken;
}

// What the writer in the guest says each second.
double median_rate(const std::string& serial, const std::string& said)
{
    std::vector<double> rates;
    for (std::size_t at = serial.find(said); at != std::string::npos; at = serial.find(said, at + 1))
        rates.push_back(std::atof(serial.c_str() + at + said.size()));
    return percentile(rates, 0.5);
}

// What bare_writer.S says of its own accord.
double bare_rate(Ears& ears, Time since)
{
    constexpr double mib_said = 8;
    double said = 0;
    ears.note([&] { said = double(std::ranges::count(ears.serial, 'M')); });
    return said * mib_said * 1000 / milliseconds(since, now());
}

int measure_taking(const Options& options)
{
    Ears ears;
    ears.echo = options.number("echo", 0);
    auto machine = Machine::create(definition_from(options), ears);
    if (!machine)
        give_up(machine.error().text());
    (*machine)->start();
    const bool bare = options.number("bare", 0);
    const std::string until = bare ? "" : options.get("until", "# ");
    if (!ears.wait([&] { return ears.serial.find(until) != std::string::npos; }, 300))
        give_up("the guest did not come up: " + ears.trouble);
    const bool while_it_boots = options.number("during", 0);
    if (!while_it_boots && !answers(**machine, ears, options, 1))
        give_up("the guest does not answer");
    if (!while_it_boots)
        std::this_thread::sleep_for(std::chrono::seconds(2));
    const std::string said = "writer: ";
    if (const int rate = bare ? 0 : options.number("writer", 0)) {
        (*machine)->serial_input("memory_writer " + std::to_string(rate) + " 128 &\n");
        if (!ears.wait([&] { return ears.serial.find(said) != std::string::npos; }, 60))
            give_up("the guest has no writer");
    }
    ears.note([&] { ears.serial.clear(); });
    const Time since = now();
    std::vector<double> pauses, wholes;
    std::vector<u64> sizes;
    std::string last;
    const int count = options.number("count", 10);
    for (int n = 0; n < count; ++n) {
        double whole = 0;
        const SnapshotInfo info = take(**machine, ears, whole);
        pauses.push_back(double((*machine)->stats().last_rest_nanoseconds) / 1e6);
        wholes.push_back(whole);
        sizes.push_back(info.own_bytes);
        last = info.id;
        if (options.number("each", 0))
            std::fprintf(
                stderr, "%3d pause %.2f ms, whole %.0f ms, %.2f MiB\n", n, pauses.back(), whole, double(sizes.back()) / 1048576);
        std::this_thread::sleep_for(std::chrono::milliseconds(options.number("between", 300)));
    }
    if (options.number("writer", 0))
        std::printf("writer_mib_per_second=%.0f\n", bare ? bare_rate(ears, since) : median_rate(ears.serial, said));
    if (!answers(**machine, ears, options, 2))
        give_up("the guest does not answer after its snapshots");
    if (options.number("back", 0)) {
        ears.note([&] { ears.restored = false; });
        const Time began = now();
        if (auto asked = (*machine)->restore_snapshot(last); !asked)
            give_up(asked.error().text());
        if (!ears.wait([&] { return ears.restored; }))
            give_up("did not go back: " + ears.trouble);
        std::printf("going_back_ms=%.2f\n", milliseconds(began, now()));
        if (!answers(**machine, ears, options, 3))
            give_up("the guest does not answer after going back");
        // It is measured only once the guest runs on.
        std::printf("going_back_stop_ms=%.2f\n", double((*machine)->stats().last_rest_nanoseconds) / 1e6);
    }
    std::printf("pause_p50_ms=%.2f\npause_p99_ms=%.2f\n", percentile(pauses, 0.5), percentile(pauses, 0.99));
    std::printf("pause_worst_ms=%.2f\n", percentile(pauses, 1));
    std::printf("whole_p50_ms=%.0f\nwhole_p99_ms=%.0f\n", percentile(wholes, 0.5), percentile(wholes, 0.99));
    std::printf("first_snapshot_bytes=%llu\n", static_cast<unsigned long long>(sizes.front()));
    if (sizes.size() > 1)
        std::printf("second_snapshot_ratio=%.4f\n", double(sizes[1]) / double(sizes[0]));
    std::printf("snapshot=%s\n", last.c_str());
    return 0;
}

int measure_restoring(const Options& options)
{
    Ears ears;
    ears.echo = options.number("echo", 0);
    const Time began = now();
    auto machine = Machine::create(definition_from(options), ears);
    if (!machine)
        give_up(machine.error().text());
    const Time created = now();
    (*machine)->start();
    if (!ears.wait([&] { return ears.running_since.has_value(); }))
        give_up("the guest did not start: " + ears.trouble);
    std::printf("restore_created_ms=%.2f\n", milliseconds(began, created));
    std::printf("restore_first_instruction_ms=%.2f\n", milliseconds(began, *ears.running_since));
    if (ears.wait([&] { return ears.first_frame.has_value(); }, 5))
        std::printf("restore_first_frame_ms=%.2f\n", milliseconds(began, *ears.first_frame));
    if (!answers(**machine, ears, options, 4))
        give_up("the guest does not answer after its restoration: " + ears.trouble);
    std::printf("restore_first_answer_ms=%.2f\n", milliseconds(began, now()));
    return 0;
}

}

int main(int argc, char** argv)
{
    Options options;
    for (int n = 1; n + 1 < argc; n += 2)
        options.values[std::string(argv[n]).substr(2)] = argv[n + 1];
    if (options.number("strict", 0))
        MemoryBlock::guard_strictly(true);
    return options.get("from").empty() ? measure_taking(options) : measure_restoring(options);
}
