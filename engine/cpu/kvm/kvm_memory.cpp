#include "engine/cpu/kvm/kvm_memory.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include <linux/kvm.h>

#include "engine/base/text.h"
#include "engine/cpu/kvm/kvm_device.h"

namespace engine {

KvmMemory::KvmMemory(const FileDescriptor& vm, AddressSpace& memory, KvmGate& gate, unsigned slot_limit, LogClears clears)
    : vm_(vm),
      memory_(memory),
      gate_(gate),
      clears_(clears)
{
    for (u32 id = slot_limit; id-- > 0;)
        free_ids_.push_back(id);
    memory_.on_change([this] { update(); });
    update();
}

bool KvmMemory::Slot::read_only() const
{
    return flags & KVM_MEM_READONLY;
}

bool KvmMemory::Slot::logged() const
{
    return flags & KVM_MEM_LOG_DIRTY_PAGES;
}

u32 KvmMemory::flags_for(const MemoryBlock& block, bool writable) const
{
    if (!writable)
        return KVM_MEM_READONLY;
    return std::ranges::find(logged_, &block) == logged_.end() ? 0 : u32(KVM_MEM_LOG_DIRTY_PAGES);
}

std::vector<KvmMemory::Slot> KvmMemory::wanted() const
{
    std::vector<Slot> slots;
    const auto view = memory_.view();
    for (const FlatRange& range : *view) {
        const bool whole_pages = ((range.first | range.size | range.read_offset) & page_mask) == 0;
        if (!range.read || !whole_pages)
            continue;
        const bool writable = range.write == range.read && range.write_offset == range.read_offset;
        slots.push_back({range.first, range.size, range.read, range.read_offset, flags_for(*range.read, writable)});
    }
    if (!memory_.a20())
        gate_a20(slots);
    return slots;
}

// The second MiB shows the first: the high memory area of a real-mode guest, which is all that anybody notices.
void KvmMemory::gate_a20(std::vector<Slot>& slots) const
{
    constexpr u64 odd = a20_bit, end = 2 * a20_bit;
    std::vector<Slot> gated;
    const auto add_part = [&](const Slot& slot, u64 first, u64 last, u64 shift) {
        first = std::max(first, slot.first);
        last = std::min(last, slot.first + slot.size);
        if (first < last)
            gated.push_back({first + shift, last - first, slot.block, slot.offset + first - slot.first, slot.flags});
    };
    for (const Slot& slot : slots) {
        add_part(slot, 0, odd, 0);
        add_part(slot, 0, odd, odd);
        add_part(slot, end, ~u64(0), 0);
    }
    slots = std::move(gated);
}

bool KvmMemory::set(const Slot& slot, u64 size)
{
    kvm_userspace_memory_region region{
        .slot = slot.id,
        .flags = size ? slot.flags : 0,
        .guest_phys_addr = slot.first,
        .memory_size = size,
        .userspace_addr = reinterpret_cast<u64>(slot.block->data() + slot.offset)};
    return control(vm_, KVM_SET_USER_MEMORY_REGION, &region) == 0;
}

void KvmMemory::update()
{
    std::vector<Slot> fresh = wanted(), kept, gone;
    for (const Slot& slot : slots_) {
        const auto same = std::ranges::find_if(fresh, [&](const Slot& other) { return other.same_place(slot); });
        if (same == fresh.end()) {
            gone.push_back(slot);
            continue;
        }
        // Only the log begins: the vCPUs needn't leave for that.
        const u32 id = slot.id;
        const bool differs = same->flags != slot.flags;
        kept.push_back(*same);
        kept.back().id = id;
        fresh.erase(same);
        if (differs && !set(kept.back(), slot.size))
            kept.back().flags = slot.flags;
    }
    slots_ = std::move(kept);
    if (gone.empty() && fresh.empty())
        return;
    gate_.while_empty([&] { exchange(gone, fresh); });
}

void KvmMemory::exchange(const std::vector<Slot>& gone, std::vector<Slot>& fresh)
{
    for (const Slot& slot : gone) {
        // The log goes with the slot.
        if (slot.logged())
            take_log(slot);
        set(slot, 0);
        free_ids_.push_back(slot.id);
    }
    failure_.clear();
    for (Slot& slot : fresh) {
        if (free_ids_.empty()) {
            failure_ = "The guest divided its memory into more parts than KVM can hold";
            return;
        }
        slot.id = free_ids_.back();
        if (!set(slot, slot.size)) {
            failure_ = text("KVM refused ", slot.block->name(), " at ", hex(slot.first), ": ", system_error_text(errno));
            return;
        }
        free_ids_.pop_back();
        slots_.push_back(slot);
    }
}

void KvmMemory::flag_writes(MemoryBlock& block)
{
    if (std::ranges::find(logged_, &block) == logged_.end()) {
        logged_.push_back(&block);
        update();
        for (u64 page = 0; page < block.pages(); ++page)
            block.set_dirty(page);
        return;
    }
    for (const Slot& slot : slots_)
        if (slot.block == &block && !slot.read_only())
            take_log(slot);
}

// What can't be read is taken for written.
void KvmMemory::take_log(const Slot& slot)
{
    const u64 pages = slot.size >> page_shift, first = slot.offset >> page_shift;
    if (!slot.logged() || !read_log(slot)) {
        for (u64 page = 0; page < pages; ++page)
            slot.block->note_written(first + page);
        return;
    }
    for (u64 word = 0; word < bitmap_.size(); ++word)
        for (u64 left = bitmap_[word]; left; left &= left - 1)
            slot.block->note_written(first + 64 * word + u64(std::countr_zero(left)));
}

// A page that is written after it was reported is reported again, from the clearing on: whoever copies pages does so later.
bool KvmMemory::read_log(const Slot& slot)
{
    const u64 pages = slot.size >> page_shift;
    bitmap_.assign((pages + 63) / 64, 0);
    kvm_dirty_log log{.slot = slot.id};
    log.dirty_bitmap = bitmap_.data();
    if (control(vm_, KVM_GET_DIRTY_LOG, &log) != 0)
        return false;
    if (clears_ == LogClears::at_once || std::ranges::all_of(bitmap_, [](u64 word) { return word == 0; }))
        return true;
    constexpr u64 most_pages = 0xffffffff;
    kvm_clear_dirty_log clear{.slot = slot.id, .num_pages = u32(pages), .first_page = 0};
    clear.dirty_bitmap = bitmap_.data();
    return pages <= most_pages && control(vm_, KVM_CLEAR_DIRTY_LOG, &clear) == 0;
}

}
