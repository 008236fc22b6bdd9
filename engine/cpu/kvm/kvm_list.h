#pragma once
// KVM's lists: a count, four bytes, and that many entries (kvm_cpuid2, kvm_msrs, kvm_irq_routing). Declared here because
// the kernel's headers declare the entries so that C++ gives the heads another size than C, and the requests with them
// another number. The same goes for kvm_xsave.

#include <span>

#include <linux/kvm.h>

#include "engine/base/types.h"

namespace engine {

struct KvmXsave {
    u8 bytes[4096];
};

namespace kvm_request {
constexpr unsigned long get_xsave = _IOR(KVMIO, 0xa4, KvmXsave), set_xsave = _IOW(KVMIO, 0xa5, KvmXsave);
constexpr unsigned long get_supported_cpuid = _IOWR(KVMIO, 0x05, u64), set_cpuid = _IOW(KVMIO, 0x90, u64);
constexpr unsigned long get_msrs = _IOWR(KVMIO, 0x88, u64), set_msrs = _IOW(KVMIO, 0x89, u64);
constexpr unsigned long set_gsi_routing = _IOW(KVMIO, 0x6a, u64);
}

template <class Entry, u32 Capacity> class KvmList {
public:
    void* data() { return &abi_; }
    u32 count() const { return abi_.count < Capacity ? abi_.count : Capacity; }
    // For KVM to fill.
    void offer_all() { abi_.count = Capacity; }
    void add(const Entry& entry)
    {
        if (count() < Capacity)
            abi_.entries[abi_.count++] = entry;
    }
    std::span<Entry> entries() { return {abi_.entries, count()}; }
    std::span<const Entry> entries() const { return {abi_.entries, count()}; }

private:
    struct Abi {
        u32 count = 0;
        u32 reserved = 0;
        Entry entries[Capacity]{};
    };
    static_assert(alignof(Entry) <= 8);
    Abi abi_;
};

}
