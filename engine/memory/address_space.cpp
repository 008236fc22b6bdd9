#include "engine/memory/address_space.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "engine/base/bits.h"

namespace engine {

AddressSpace::RegionId AddressSpace::add_memory(
    std::string name, u64 first, u64 size, int priority, MemoryBlock* read, u64 read_offset, MemoryBlock* write, u64 write_offset)
{
    regions_.push_back({std::move(name), first, size, priority, true, false, read, read_offset, write, write_offset, nullptr});
    changed();
    return regions_.size() - 1;
}

AddressSpace::RegionId AddressSpace::add_io(std::string name, u64 first, u64 size, int priority, IoHandler& handler)
{
    regions_.push_back({std::move(name), first, size, priority, true, false, nullptr, 0, nullptr, 0, &handler});
    changed();
    return regions_.size() - 1;
}

AddressSpace::RegionId
AddressSpace::add_rom_device(std::string name, u64 first, u64 size, int priority, MemoryBlock& block, IoHandler& handler)
{
    regions_.push_back({std::move(name), first, size, priority, true, false, &block, 0, nullptr, 0, &handler});
    changed();
    return regions_.size() - 1;
}

void AddressSpace::enable(RegionId region, bool enabled)
{
    if (std::exchange(regions_[region].enabled, enabled) != enabled)
        changed();
}

void AddressSpace::enable_in_smm(RegionId region, bool enabled)
{
    if (std::exchange(regions_[region].enabled_in_smm, enabled) != enabled)
        changed();
}

void AddressSpace::move(RegionId region, u64 first)
{
    if (std::exchange(regions_[region].first, first) != first)
        changed();
}

void AddressSpace::show(RegionId region, MemoryBlock* read, u64 read_offset, MemoryBlock* write, u64 write_offset)
{
    Region& r = regions_[region];
    if (r.read == read && r.read_offset == read_offset && r.write == write && r.write_offset == write_offset)
        return;
    r.read = read;
    r.read_offset = read_offset;
    r.write = write;
    r.write_offset = write_offset;
    changed();
}

void AddressSpace::end_changes()
{
    --open_changes_;
    changed();
}

void AddressSpace::changed()
{
    if (open_changes_)
        return;
    rebuild();
    for (const auto& listener : listeners_)
        listener();
}

FlatRange AddressSpace::slice(const Region& r, u64 first, u64 end) const
{
    const u64 into = first - r.first;
    FlatRange range{.first = first, .size = end - first};
    range.io_offset = r.io ? into : 0;
    if (!r.read) {
        range.io = r.io;
        return range;
    }
    range.on_write = r.io;
    range.read = r.read;
    range.read_offset = r.read_offset + into;
    range.write = r.write;
    range.write_offset = r.write ? r.write_offset + into : 0;
    return range;
}

std::shared_ptr<const AddressSpace::View> AddressSpace::flatten(Viewer viewer) const
{
    const auto shown = [&](const Region& r) { return r.enabled || (viewer == Viewer::smm && r.enabled_in_smm); };
    std::set<u64> edges;
    for (const Region& r : regions_)
        if (shown(r)) {
            edges.insert(r.first);
            edges.insert(r.first + r.size);
        }
    auto flat = std::make_shared<View>();
    for (auto edge = edges.begin(); edge != edges.end() && std::next(edge) != edges.end(); ++edge) {
        const Region* top = nullptr;
        for (const Region& r : regions_)
            if (shown(r) && r.first <= *edge && *edge < r.first + r.size && (!top || r.priority >= top->priority))
                top = &r;
        if (!top)
            continue;
        const FlatRange next = slice(*top, *edge, *std::next(edge));
        FlatRange* last = flat->empty() ? nullptr : &flat->back();
        const bool joins = last && last->first + last->size == next.first && last->read == next.read && last->write == next.write
            && last->io == next.io && last->on_write == next.on_write
            && (!next.read || last->read_offset + last->size == next.read_offset)
            && (!next.write || last->write_offset + last->size == next.write_offset)
            && (!(next.io || next.on_write) || last->io_offset + last->size == next.io_offset);
        if (joins)
            last->size += next.size;
        else
            flat->push_back(next);
    }
    return flat;
}

void AddressSpace::rebuild()
{
    const auto everyone = flatten(Viewer::everyone);
    const bool differs = std::ranges::any_of(regions_, [](const Region& r) { return r.enabled_in_smm && !r.enabled; });
    const auto smm = differs ? flatten(Viewer::smm) : everyone;
    const std::unique_lock lock(view_mutex_);
    views_ = {everyone, smm};
}

std::shared_ptr<const std::vector<FlatRange>> AddressSpace::view(Viewer viewer) const
{
    const std::shared_lock lock(view_mutex_);
    return views_[unsigned(viewer)];
}

FlatRange AddressSpace::find(u64 address, Viewer viewer) const
{
    const std::shared_lock lock(view_mutex_);
    const View& view = *views_[unsigned(viewer)];
    auto after = std::ranges::upper_bound(view, address, {}, &FlatRange::first);
    if (after == view.begin())
        return {};
    --after;
    return address - after->first < after->size ? *after : FlatRange{};
}

u64 AddressSpace::read(u64 address, unsigned size, Viewer viewer)
{
    const FlatRange range = find(address, viewer);
    const u64 into = address - range.first;
    if (range.io && into + size <= range.size) {
        std::optional<std::lock_guard<std::mutex>> lock;
        if (machine_lock_)
            lock.emplace(*machine_lock_);
        return range.io->read(range.io_offset + into, size) & low_mask(8 * size);
    }
    u64 value = ~u64(0);
    if (range.read && into + size <= range.size) {
        range.read->before_read(range.read_offset + into, size);
        std::memcpy(&value, range.read->data() + range.read_offset + into, size);
    }
    return value & low_mask(8 * size);
}

void AddressSpace::write(u64 address, u64 value, unsigned size, Viewer viewer)
{
    const FlatRange range = find(address, viewer);
    const u64 into = address - range.first;
    if (into + size > range.size)
        return;
    if (IoHandler* const io = range.io ? range.io : range.on_write) {
        std::optional<std::lock_guard<std::mutex>> lock;
        if (machine_lock_)
            lock.emplace(*machine_lock_);
        io->write(range.io_offset + into, value & low_mask(8 * size), size);
    } else if (range.write) {
        range.write->before_write(range.write_offset + into, size);
        std::memcpy(range.write->data() + range.write_offset + into, &value, size);
        range.write->written(range.write_offset + into, size);
    }
}

bool AddressSpace::dma_read(u64 address, std::span<u8> to) const
{
    while (!to.empty()) {
        const FlatRange range = find(address);
        if (!range.read) {
            std::ranges::fill(to, u8(0));
            return false;
        }
        const u64 into = address - range.first;
        const u64 count = std::min<u64>(to.size(), range.size - into);
        range.read->before_read(range.read_offset + into, count);
        std::memcpy(to.data(), range.read->data() + range.read_offset + into, count);
        to = to.subspan(count);
        address += count;
    }
    return true;
}

bool AddressSpace::dma_write(u64 address, std::span<const u8> from)
{
    while (!from.empty()) {
        const FlatRange range = find(address);
        if (!range.write)
            return false;
        const u64 into = address - range.first;
        const u64 count = std::min<u64>(from.size(), range.size - into);
        range.write->before_write(range.write_offset + into, count);
        std::memcpy(range.write->data() + range.write_offset + into, from.data(), count);
        range.write->written(range.write_offset + into, count);
        from = from.subspan(count);
        address += count;
    }
    return true;
}

void AddressSpace::set_a20(bool enabled)
{
    if (a20_.exchange(enabled) == enabled)
        return;
    for (const auto& listener : listeners_)
        listener();
}

}
