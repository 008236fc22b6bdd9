// What a snapshot holds of the PC beside its memory.
//
// Not saved: keys that wait for room in the keyboard, and what is on its way to the listener.

#include <ctime>

#include "engine/cpu/x86/cpuid.h"
#include "engine/machine/board/pc.h"

namespace engine {

namespace {
// Grows when a machine as it was before can no longer be loaded into one as it is now.
constexpr u64 board_version = 1;
constexpr const char* processors_name = "processors";
constexpr const char* board_name = "board";
}

std::vector<MemoryBlock*> PcBoard::memories()
{
    return {parts_.ram.get(), parts_.video_memory.get(), parts_.bios.get(), parts_.vga_bios.get()};
}

// The display reads its memory 60 times a second, fonts and all.
std::vector<MemoryBlock*> PcBoard::memories_at_hand()
{
    return {parts_.video_memory.get(), parts_.bios.get(), parts_.vga_bios.get()};
}

void PcBoard::collect_writes()
{
    for (MemoryBlock* const block : memories())
        processors_->dirty_rounds().flag_writes(*block);
}

void PcBoard::load_variables(std::span<const u8> content)
{
    if (variable_flash_)
        variable_flash_->set_content(content);
}

void PcBoard::loaded()
{
    if (variable_store_)
        variable_store_->changed();
}

StateMap PcBoard::description()
{
    StateMap description;
    auto& numbers = description.scalars;
    numbers["pc version"] = board_version;
    numbers["bytes of memory"] = parts_.ram->size();
    numbers["bytes of video memory"] = parts_.video_memory->size();
    numbers["bytes of firmware"] = parts_.bios->size();
    numbers["bytes of video firmware"] = parts_.vga_bios->size();
    if (parts_.variables)
        numbers[variable_bytes] = parts_.variables->size();
    numbers["processors"] = processors_->vcpus().size();
    for (unsigned drive = 0; drive < 2; ++drive)
        numbers[drive ? "second disk" : "first disk"] = ide_->drive(drive) != nullptr;
    numbers["serial port"] = serial_.has_value();
    numbers["test device"] = test_device_.has_value();
    return description;
}

DeviceStates PcBoard::save()
{
    DeviceStates states;
    for (Device* device : devices_) {
        StateSaver saver;
        device->visit(saver);
        states[std::string(device->name())] = std::move(saver.map);
    }
    StateSaver processors;
    processors_->visit(processors);
    states[processors_name] = std::move(processors.map);
    StateMap& board = states[board_name];
    board.scalars["keyboard_a20"] = keyboard_a20_;
    board.scalars["host_seconds"] = u64(std::time(nullptr));
    board.scalars["cpu_features"] = processors_->features();
    return states;
}

std::string PcBoard::load(const DeviceStates& states)
{
    const auto load = [&](const std::string& name, auto& part) {
        const auto found = states.find(name);
        if (found == states.end())
            return;
        StateLoader loader(found->second);
        part.visit(loader);
    };
    const auto board = states.find(board_name);
    const auto number = [&](const char* name, u64 otherwise) {
        if (board == states.end())
            return otherwise;
        const auto found = board->second.scalars.find(name);
        return found == board->second.scalars.end() ? otherwise : found->second;
    };
    // Its programs have seen what the processor has, and must not see more.
    if (!processors_->take_features(u32(number("cpu_features", x86::host_features()))))
        return "processor, which has more than this computer's";
    memory_.begin_changes();
    reset_devices();
    for (Device* device : devices_)
        load(std::string(device->name()), *device);
    const u64 now = u64(std::time(nullptr));
    rtc_.shift(i64(now - number("host_seconds", now)));
    std::string trouble;
    for (Device* device : devices_)
        if (!device->restored())
            trouble = device->name();
    keyboard_a20_ = number("keyboard_a20", 1);
    update_a20();
    memory_.end_changes();
    processors_->reset();
    load(processors_name, *processors_);
    if (!processors_->restored())
        trouble = processors_name;
    unchanged_refreshes_ = 0;
    refresh_timer_.arm(around_.deadlines.now());
    return trouble;
}

}
