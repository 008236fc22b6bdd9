#pragma once
// What stands at which physical address. Regions overlap by priority; the flat view is what the vCPUs see.

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/base/types.h"
#include "engine/device/device.h"
#include "engine/memory/memory_block.h"

namespace engine {

// One stretch of the flat view. Exactly one of {read, io} is set; reads from `read`, writes to `write`, or where that is null
// to `on_write` (null too: ignored, as by a ROM). Addresses and sizes of memory are whole pages.
struct FlatRange {
    u64 first = 0;
    u64 size = 0;
    MemoryBlock* read = nullptr;
    u64 read_offset = 0;
    MemoryBlock* write = nullptr;
    u64 write_offset = 0;
    IoHandler* io = nullptr;
    IoHandler* on_write = nullptr;
    u64 io_offset = 0;    // of either

    bool operator==(const FlatRange&) const = default;
};

// Whose view: SMRAM shows to processors in system management mode alone.
enum class Viewer : u8 { everyone, smm };

class AddressSpace {
public:
    using RegionId = std::size_t;

    // `machine_lock` is taken around every register access (vCPU threads); null in tests.
    explicit AddressSpace(std::mutex* machine_lock = nullptr) : machine_lock_(machine_lock) { }

    // Building and changing the map: with the machine's lock held, or before the machine runs. Higher priority wins,
    // later wins among equals. A region starts enabled.
    RegionId add_memory(
        std::string name, u64 first, u64 size, int priority, MemoryBlock* read, u64 read_offset, MemoryBlock* write,
        u64 write_offset);
    RegionId add_ram(std::string name, u64 first, u64 size, int priority, MemoryBlock& block, u64 offset)
    {
        return add_memory(std::move(name), first, size, priority, &block, offset, &block, offset);
    }
    RegionId add_rom(std::string name, u64 first, u64 size, int priority, MemoryBlock& block, u64 offset)
    {
        return add_memory(std::move(name), first, size, priority, &block, offset, nullptr, 0);
    }
    RegionId add_io(std::string name, u64 first, u64 size, int priority, IoHandler& handler);
    // Memory whose writes are a device's affair, as a flash chip's. While it shows no memory (show()), reads are too.
    RegionId add_rom_device(std::string name, u64 first, u64 size, int priority, MemoryBlock& block, IoHandler& handler);
    void enable(RegionId region, bool enabled);
    void enable_in_smm(RegionId region, bool enabled);    // beside everyone's view
    void move(RegionId region, u64 first);
    // Replaces what a memory region shows (PAM, SMRAM, shadowing).
    void show(RegionId region, MemoryBlock* read, u64 read_offset, MemoryBlock* write, u64 write_offset);
    // Called after each change of the flat view, on the changing thread: vCPUs drop cached translations, KVM moves slots.
    void on_change(std::function<void()> listener) { listeners_.push_back(std::move(listener)); }
    // Puts several changes into one update of the flat view.
    void begin_changes() { ++open_changes_; }
    void end_changes();

    // Any thread. Null where nothing stands.
    std::shared_ptr<const std::vector<FlatRange>> view(Viewer viewer = Viewer::everyone) const;
    // The range that covers `address`, copied; `size` is 0 where nothing stands.
    FlatRange find(u64 address, Viewer viewer = Viewer::everyone) const;

    // A vCPU's access that is not plain memory: registers (machine's lock taken here), ROM writes, holes (all ones).
    u64 read(u64 address, unsigned size, Viewer viewer = Viewer::everyone);
    void write(u64 address, u64 value, unsigned size, Viewer viewer = Viewer::everyone);

    // Device DMA: reaches memory and never registers, so that no device can call another one. Any thread.
    // False, and zeroes or nothing written from there on, where there is no memory.
    bool dma_read(u64 address, std::span<u8> to) const;
    bool dma_write(u64 address, std::span<const u8> from);
    template <class T> T dma_load(u64 address) const
    {
        T value{};
        dma_read(address, {reinterpret_cast<u8*>(&value), sizeof value});
        return value;
    }
    template <class T> bool dma_store(u64 address, T value)
    {
        return dma_write(address, {reinterpret_cast<const u8*>(&value), sizeof value});
    }

    // A20 gate: while false, address bit 20 reads as zero for the processor (not for DMA). Machine's lock held.
    void set_a20(bool enabled);
    bool a20() const { return a20_.load(std::memory_order_acquire); }

private:
    struct Region {
        std::string name;
        u64 first, size;
        int priority;
        bool enabled, enabled_in_smm;
        MemoryBlock* read;
        u64 read_offset;
        MemoryBlock* write;
        u64 write_offset;
        IoHandler* io;
    };
    using View = std::vector<FlatRange>;
    void rebuild();
    std::shared_ptr<const View> flatten(Viewer viewer) const;
    void changed();
    FlatRange slice(const Region& region, u64 first, u64 end) const;

    std::mutex* machine_lock_;
    std::vector<Region> regions_;
    mutable std::shared_mutex view_mutex_;
    std::array<std::shared_ptr<const View>, 2> views_{std::make_shared<View>(), std::make_shared<View>()};    // by Viewer
    std::vector<std::function<void()>> listeners_;
    unsigned open_changes_ = 0;
    std::atomic<bool> a20_ = true;
};

}
