#pragma once
// The machine's address space as KVM's memory slots (api.rst 4.35), and KVM's log of what guests wrote (4.8, and 4.117 where
// the kernel has it).
//
// RAM is a slot; what a guest may only read, and what reads from one place and writes to another, is a read-only slot
// whose writes come out to AddressSpace; registers and holes have no slot.
// Machine's lock held everywhere.
// Not modelled: with A20 off only the second MiB shows the first; the other odd megabytes stay themselves.

#include <vector>

#include "engine/base/file_descriptor.h"
#include "engine/cpu/kvm/kvm_gate.h"
#include "engine/memory/address_space.h"

namespace engine {

class KvmMemory {
public:
    // How the log is begun anew: `at_once` by reading it, `when_asked` by KVM_CLEAR_DIRTY_LOG.
    enum class LogClears : u8 { at_once, when_asked };

    KvmMemory(const FileDescriptor& vm, AddressSpace& memory, KvmGate& gate, unsigned slot_limit, LogClears clears);
    KvmMemory(const KvmMemory&) = delete;
    KvmMemory& operator=(const KvmMemory&) = delete;

    // Makes the slots follow the address space's view.
    void update();
    // Notes the pages of `block` that guests wrote since the last call (MemoryBlock::note_written). The first call begins the
    // log, which from then on makes the first write to each page dearer, and flags all pages dirty: what was written before
    // is not known.
    void flag_writes(MemoryBlock& block);
    // Where the processor's access goes: A20.
    u64 gated(u64 address) const { return memory_.a20() ? address : address & ~a20_bit; }

    // Why the slots don't show the whole memory; empty if they do.
    const std::string& failure() const { return failure_; }

private:
    static constexpr u64 a20_bit = 1 << 20;

    struct Slot {
        u64 first = 0;
        u64 size = 0;
        MemoryBlock* block = nullptr;
        u64 offset = 0;
        u32 flags = 0;
        u32 id = 0;

        bool same_place(const Slot& other) const
        {
            return first == other.first && size == other.size && block == other.block && offset == other.offset
                && read_only() == other.read_only();
        }
        bool read_only() const;
        bool logged() const;
    };
    std::vector<Slot> wanted() const;
    void gate_a20(std::vector<Slot>& slots) const;
    void exchange(const std::vector<Slot>& gone, std::vector<Slot>& fresh);
    bool set(const Slot& slot, u64 size);
    void take_log(const Slot& slot);
    bool read_log(const Slot& slot);
    u32 flags_for(const MemoryBlock& block, bool writable) const;

    const FileDescriptor& vm_;
    AddressSpace& memory_;
    KvmGate& gate_;
    const LogClears clears_;
    std::vector<Slot> slots_;
    std::vector<u32> free_ids_;    // the next one last
    std::vector<const MemoryBlock*> logged_;
    std::vector<u64> bitmap_;
    std::string failure_;
};

}
