#include "engine/cpu/x86/host_forms.h"

#include <bit>
#include <cassert>
#include <cstring>

#include <sys/mman.h>

namespace engine::x86 {

namespace {

static_assert(offsetof(HostFrame, opmask) == 256 && offsetof(HostFrame, rax) == 280 && offsetof(HostFrame, rdx) == 288);
static_assert(offsetof(HostFrame, flags) == 296 && offsetof(HostFrame, mxcsr) == 304 && offsetof(HostFrame, host_mxcsr) == 308);

// Calls `code`, an instruction and RET.
__attribute__((naked)) void call_host_form(HostFrame*, const u8*)
{
    asm(R"(
        stmxcsr 308(%rdi)
        ldmxcsr 304(%rdi)
        vmovups (%rdi), %zmm0
        vmovups 64(%rdi), %zmm1
        vmovups 128(%rdi), %zmm2
        kmovq 256(%rdi), %k0
        kmovq 264(%rdi), %k1
        kmovq 272(%rdi), %k2
        movq 280(%rdi), %rax
        movq 288(%rdi), %rdx
        call *%rsi
        movq %rax, 280(%rdi)
        movq %rdx, 288(%rdi)
        pushfq
        popq 296(%rdi)
        stmxcsr 304(%rdi)
        ldmxcsr 308(%rdi)
        vmovups %zmm0, (%rdi)
        vmovups %zmm1, 64(%rdi)
        vmovups %zmm2, 128(%rdi)
        kmovq %k0, 256(%rdi)
        kmovq %k2, 272(%rdi)
        vzeroupper
        ret
    )");
}

// Code of one thread, by what it does: a slot for each, which another may take over. Mapped once to write and once to run.
class Slots {
public:
    Slots()
    {
        void* const writable = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (writable == MAP_FAILED)
            return;
        void* const executable = mremap(writable, 0, size, MREMAP_MAYMOVE);    // once more
        if (executable == MAP_FAILED || mprotect(executable, size, PROT_READ | PROT_EXEC) != 0) {
            munmap(writable, size);
            return;
        }
        writable_ = static_cast<Slot*>(writable);
        executable_ = static_cast<const Slot*>(executable);
    }
    ~Slots()
    {
        if (!writable_)
            return;
        munmap(writable_, size);
        munmap(std::bit_cast<void*>(executable_), size);
    }
    Slots(const Slots&) = delete;
    Slots& operator=(const Slots&) = delete;

    const u8* code_of(std::span<const u8> instruction)
    {
        if (!writable_)
            return nullptr;
        constexpr u8 ret = 0xc3;
        assert(instruction.size() < sizeof(Slot));
        Slot wanted{};
        u8 bytes[sizeof wanted]{};
        std::memcpy(bytes, instruction.data(), instruction.size());
        bytes[instruction.size()] = ret;
        std::memcpy(&wanted, bytes, sizeof wanted);
        const std::size_t at = (wanted.low * factor ^ wanted.high * other_factor) >> (64 - std::countr_zero(count));
        if (writable_[at].low != wanted.low || writable_[at].high != wanted.high)
            writable_[at] = wanted;
        return executable_[at].bytes();
    }

private:
    struct Slot {
        u64 low, high;
        const u8* bytes() const { return reinterpret_cast<const u8*>(this); }
    };
    static constexpr std::size_t count = 4096, size = count * sizeof(Slot);
    static constexpr u64 factor = 0x9e3779b97f4a7c15, other_factor = 0xc2b2ae3d27d4eb4f;

    Slot* writable_ = nullptr;
    const Slot* executable_ = nullptr;
};

}

bool run_host_form(HostFrame& frame, std::span<const u8> instruction)
{
    thread_local Slots slots;
    const u8* const code = slots.code_of(instruction);
    if (code)
        call_host_form(&frame, code);
    return code;
}

}
