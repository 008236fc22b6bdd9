#pragma once
// Executes one instruction on the host's own processor: the oracle for the interpreter's handlers. The instruction sees
// all general registers (RSP too), the arithmetic flags, the whole FXSAVE image and the upper halves of YMM; memory operands are host addresses.
// Faults come back as the vector the processor raised.

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <span>

#include <sys/mman.h>
#include <ucontext.h>

#include "engine/base/types.h"
#include "engine/cpu/x86/state.h"

namespace engine::x86::test {

struct alignas(64) NativeState {
    std::array<u8, 512> fx{};
    std::array<u64, 16> gpr{};
    u64 flags = 0x202;
    u64 host_rsp = 0;
    u64 code = 0;
    u64 return_slot = 0;
    int vector = -1;    // of the fault, -1 for none
    u64 avx = 0;    // not zero: the upper halves of the YMM registers are loaded and stored too
    alignas(64) std::array<Xmm, 16> ymm_high{};
};
static_assert(offsetof(NativeState, gpr) == 512 && offsetof(NativeState, flags) == 640);
static_assert(offsetof(NativeState, return_slot) == 664 && offsetof(NativeState, avx) == 680);
static_assert(offsetof(NativeState, ymm_high) == 704);

extern "C" {
[[gnu::used]] inline NativeState* paddock_native_state = nullptr;
[[gnu::used]] inline u64 paddock_native_scratch = 0, paddock_native_code = 0, paddock_native_abort = 0;

__attribute__((naked)) inline void paddock_native_run(NativeState*)
{
    asm(R"(
        pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15
        movq %rdi, paddock_native_state(%rip)
        movq %rsp, 648(%rdi)
        leaq 1f(%rip), %rax
        movq 664(%rdi), %rcx
        movq %rax, (%rcx)
        leaq 2f(%rip), %rax
        movq %rax, paddock_native_abort(%rip)
        movq 656(%rdi), %rax
        movq %rax, paddock_native_code(%rip)
        fxrstor64 (%rdi)
        cmpq $0, 680(%rdi)
        je 3f
        vinsertf128 $1, 704(%rdi), %ymm0, %ymm0
        vinsertf128 $1, 720(%rdi), %ymm1, %ymm1
        vinsertf128 $1, 736(%rdi), %ymm2, %ymm2
        vinsertf128 $1, 752(%rdi), %ymm3, %ymm3
        vinsertf128 $1, 768(%rdi), %ymm4, %ymm4
        vinsertf128 $1, 784(%rdi), %ymm5, %ymm5
        vinsertf128 $1, 800(%rdi), %ymm6, %ymm6
        vinsertf128 $1, 816(%rdi), %ymm7, %ymm7
        vinsertf128 $1, 832(%rdi), %ymm8, %ymm8
        vinsertf128 $1, 848(%rdi), %ymm9, %ymm9
        vinsertf128 $1, 864(%rdi), %ymm10, %ymm10
        vinsertf128 $1, 880(%rdi), %ymm11, %ymm11
        vinsertf128 $1, 896(%rdi), %ymm12, %ymm12
        vinsertf128 $1, 912(%rdi), %ymm13, %ymm13
        vinsertf128 $1, 928(%rdi), %ymm14, %ymm14
        vinsertf128 $1, 944(%rdi), %ymm15, %ymm15
    3:  pushq 640(%rdi); popfq
        movq 512(%rdi), %rax; movq 520(%rdi), %rcx; movq 528(%rdi), %rdx; movq 536(%rdi), %rbx
        movq 544(%rdi), %rsp; movq 552(%rdi), %rbp; movq 560(%rdi), %rsi
        movq 576(%rdi), %r8; movq 584(%rdi), %r9; movq 592(%rdi), %r10; movq 600(%rdi), %r11
        movq 608(%rdi), %r12; movq 616(%rdi), %r13; movq 624(%rdi), %r14; movq 632(%rdi), %r15
        movq 568(%rdi), %rdi
        jmp *paddock_native_code(%rip)
    1:  movq %rdi, paddock_native_scratch(%rip)
        movq paddock_native_state(%rip), %rdi
        movq %rax, 512(%rdi); movq %rcx, 520(%rdi); movq %rdx, 528(%rdi); movq %rbx, 536(%rdi)
        movq %rsp, 544(%rdi); movq %rbp, 552(%rdi); movq %rsi, 560(%rdi)
        movq %r8, 576(%rdi); movq %r9, 584(%rdi); movq %r10, 592(%rdi); movq %r11, 600(%rdi)
        movq %r12, 608(%rdi); movq %r13, 616(%rdi); movq %r14, 624(%rdi); movq %r15, 632(%rdi)
        movq paddock_native_scratch(%rip), %rax
        movq %rax, 568(%rdi)
        movq 648(%rdi), %rsp
        pushfq; popq 640(%rdi)
        pushfq; andq $-0x40001, (%rsp); popfq
        fxsave64 (%rdi)
        cmpq $0, 680(%rdi)
        je 2f
        vextractf128 $1, %ymm0, 704(%rdi)
        vextractf128 $1, %ymm1, 720(%rdi)
        vextractf128 $1, %ymm2, 736(%rdi)
        vextractf128 $1, %ymm3, 752(%rdi)
        vextractf128 $1, %ymm4, 768(%rdi)
        vextractf128 $1, %ymm5, 784(%rdi)
        vextractf128 $1, %ymm6, 800(%rdi)
        vextractf128 $1, %ymm7, 816(%rdi)
        vextractf128 $1, %ymm8, 832(%rdi)
        vextractf128 $1, %ymm9, 848(%rdi)
        vextractf128 $1, %ymm10, 864(%rdi)
        vextractf128 $1, %ymm11, 880(%rdi)
        vextractf128 $1, %ymm12, 896(%rdi)
        vextractf128 $1, %ymm13, 912(%rdi)
        vextractf128 $1, %ymm14, 928(%rdi)
        vextractf128 $1, %ymm15, 944(%rdi)
    2:  movq paddock_native_state(%rip), %rdi
        movq 648(%rdi), %rsp
        cld
        cmpq $0, 680(%rdi)
        je 4f
        vzeroupper
    4:
        fninit
        movl $0x1f80, paddock_native_scratch(%rip)
        ldmxcsr paddock_native_scratch(%rip)
        popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx
        ret
    )");
}
}

class NativeProcessor {
public:
    NativeProcessor()
    {
        code_ = static_cast<u8*>(
            ::mmap(nullptr, page_size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        stack_t alternative{};
        alternative.ss_sp = signal_stack_.data();
        alternative.ss_size = signal_stack_.size();
        ::sigaltstack(&alternative, &old_stack_);
        struct sigaction action { };
        action.sa_sigaction = &caught;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        for (unsigned n = 0; n < signals.size(); ++n)
            ::sigaction(signals[n], &action, &old_actions_[n]);
    }
    ~NativeProcessor()
    {
        for (unsigned n = 0; n < signals.size(); ++n)
            ::sigaction(signals[n], &old_actions_[n], nullptr);
        ::sigaltstack(&old_stack_, nullptr);
        ::munmap(code_, page_size);
    }
    NativeProcessor(const NativeProcessor&) = delete;
    NativeProcessor& operator=(const NativeProcessor&) = delete;

    // On a fault only `vector` and the FXSAVE image mean anything.
    void run(NativeState& state, std::span<const u8> instruction)
    {
        constexpr std::array<u8, 6> jump_through_next_quadword{0xff, 0x25, 0, 0, 0, 0};
        constexpr u8 nop = 0x90;
        u8* end = std::copy(instruction.begin(), instruction.end(), code_);
        while (reinterpret_cast<u64>(end + jump_through_next_quadword.size()) % 8)    // EFLAGS.AC may be set
            *end++ = nop;
        end = std::copy(jump_through_next_quadword.begin(), jump_through_next_quadword.end(), end);
        state.code = reinterpret_cast<u64>(code_);
        state.return_slot = reinterpret_cast<u64>(end);
        state.vector = -1;
        running_ = true;
        paddock_native_run(&state);
        running_ = false;
    }
    u64 code_address() const { return reinterpret_cast<u64>(code_); }

private:
    static constexpr std::array<int, 5> signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

    static void caught(int signal, siginfo_t*, void* context)
    {
        if (!running_) {    // our own fault, not the instruction's
            ::signal(signal, SIG_DFL);
            return;
        }
        auto* where = static_cast<ucontext_t*>(context);
        asm volatile("lea -128(%%rsp), %%rsp; pushfq; andq $-0x40001, (%%rsp); popfq; lea 128(%%rsp), %%rsp"
                     :
                     :
                     : "cc", "memory");
        NativeState& state = *paddock_native_state;
        state.vector = int(where->uc_mcontext.gregs[REG_TRAPNO]);
        std::memcpy(state.fx.data(), where->uc_mcontext.fpregs, state.fx.size());
        where->uc_mcontext.gregs[REG_RIP] = greg_t(paddock_native_abort);
        where->uc_mcontext.gregs[REG_EFL] &= ~greg_t(0x40100);    // TF and AC
        // The handler returns to our own state, not to the guest's unmasked exceptions.
        where->uc_mcontext.fpregs->mxcsr = 0x1f80;
        where->uc_mcontext.fpregs->cwd = 0x37f;
        where->uc_mcontext.fpregs->swd = 0;
    }

    static inline volatile bool running_ = false;
    u8* code_ = nullptr;
    std::array<u8, 65536> signal_stack_{};
    stack_t old_stack_{};
    std::array<struct sigaction, 5> old_actions_{};
};

}
