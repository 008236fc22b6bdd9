#pragma once
// Executes one instruction on the host's own processor: the oracle for the interpreter's handlers. The instruction sees
// all general registers (RSP too), the arithmetic flags, the whole FXSAVE image, the upper halves of YMM, ZMM and the opmasks; memory operands are host
// addresses.
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
    u64 avx512 = 0;    // likewise ZMM and the opmasks
    alignas(64) std::array<Xmm, 16> ymm_high{};
    std::array<ZmmHigh, 16> zmm_high{};
    std::array<Zmm, 16> zmm{};
    std::array<u64, 8> opmask{};
};
static_assert(offsetof(NativeState, gpr) == 512 && offsetof(NativeState, flags) == 640);
static_assert(offsetof(NativeState, return_slot) == 664 && offsetof(NativeState, avx) == 680);
static_assert(offsetof(NativeState, ymm_high) == 704 && offsetof(NativeState, avx512) == 688);
static_assert(offsetof(NativeState, zmm_high) == 960 && offsetof(NativeState, zmm) == 1472);
static_assert(offsetof(NativeState, opmask) == 2496);

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
        leaq 5f(%rip), %rax
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
        cmpq $0, 688(%rdi)
        je 3f
        vinsertf64x4 $1, 960(%rdi), %zmm0, %zmm0
        vinsertf64x4 $1, 992(%rdi), %zmm1, %zmm1
        vinsertf64x4 $1, 1024(%rdi), %zmm2, %zmm2
        vinsertf64x4 $1, 1056(%rdi), %zmm3, %zmm3
        vinsertf64x4 $1, 1088(%rdi), %zmm4, %zmm4
        vinsertf64x4 $1, 1120(%rdi), %zmm5, %zmm5
        vinsertf64x4 $1, 1152(%rdi), %zmm6, %zmm6
        vinsertf64x4 $1, 1184(%rdi), %zmm7, %zmm7
        vinsertf64x4 $1, 1216(%rdi), %zmm8, %zmm8
        vinsertf64x4 $1, 1248(%rdi), %zmm9, %zmm9
        vinsertf64x4 $1, 1280(%rdi), %zmm10, %zmm10
        vinsertf64x4 $1, 1312(%rdi), %zmm11, %zmm11
        vinsertf64x4 $1, 1344(%rdi), %zmm12, %zmm12
        vinsertf64x4 $1, 1376(%rdi), %zmm13, %zmm13
        vinsertf64x4 $1, 1408(%rdi), %zmm14, %zmm14
        vinsertf64x4 $1, 1440(%rdi), %zmm15, %zmm15
        vmovups 1472(%rdi), %zmm16
        vmovups 1536(%rdi), %zmm17
        vmovups 1600(%rdi), %zmm18
        vmovups 1664(%rdi), %zmm19
        vmovups 1728(%rdi), %zmm20
        vmovups 1792(%rdi), %zmm21
        vmovups 1856(%rdi), %zmm22
        vmovups 1920(%rdi), %zmm23
        vmovups 1984(%rdi), %zmm24
        vmovups 2048(%rdi), %zmm25
        vmovups 2112(%rdi), %zmm26
        vmovups 2176(%rdi), %zmm27
        vmovups 2240(%rdi), %zmm28
        vmovups 2304(%rdi), %zmm29
        vmovups 2368(%rdi), %zmm30
        vmovups 2432(%rdi), %zmm31
        kmovq 2496(%rdi), %k0
        kmovq 2504(%rdi), %k1
        kmovq 2512(%rdi), %k2
        kmovq 2520(%rdi), %k3
        kmovq 2528(%rdi), %k4
        kmovq 2536(%rdi), %k5
        kmovq 2544(%rdi), %k6
        kmovq 2552(%rdi), %k7
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
        jmp 6f
    5:  movq paddock_native_state(%rip), %rdi
        movq 648(%rdi), %rsp
    6:  cmpq $0, 680(%rdi)
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
        cmpq $0, 688(%rdi)
        je 2f
        vextractf64x4 $1, %zmm0, 960(%rdi)
        vextractf64x4 $1, %zmm1, 992(%rdi)
        vextractf64x4 $1, %zmm2, 1024(%rdi)
        vextractf64x4 $1, %zmm3, 1056(%rdi)
        vextractf64x4 $1, %zmm4, 1088(%rdi)
        vextractf64x4 $1, %zmm5, 1120(%rdi)
        vextractf64x4 $1, %zmm6, 1152(%rdi)
        vextractf64x4 $1, %zmm7, 1184(%rdi)
        vextractf64x4 $1, %zmm8, 1216(%rdi)
        vextractf64x4 $1, %zmm9, 1248(%rdi)
        vextractf64x4 $1, %zmm10, 1280(%rdi)
        vextractf64x4 $1, %zmm11, 1312(%rdi)
        vextractf64x4 $1, %zmm12, 1344(%rdi)
        vextractf64x4 $1, %zmm13, 1376(%rdi)
        vextractf64x4 $1, %zmm14, 1408(%rdi)
        vextractf64x4 $1, %zmm15, 1440(%rdi)
        vmovups %zmm16, 1472(%rdi)
        vmovups %zmm17, 1536(%rdi)
        vmovups %zmm18, 1600(%rdi)
        vmovups %zmm19, 1664(%rdi)
        vmovups %zmm20, 1728(%rdi)
        vmovups %zmm21, 1792(%rdi)
        vmovups %zmm22, 1856(%rdi)
        vmovups %zmm23, 1920(%rdi)
        vmovups %zmm24, 1984(%rdi)
        vmovups %zmm25, 2048(%rdi)
        vmovups %zmm26, 2112(%rdi)
        vmovups %zmm27, 2176(%rdi)
        vmovups %zmm28, 2240(%rdi)
        vmovups %zmm29, 2304(%rdi)
        vmovups %zmm30, 2368(%rdi)
        vmovups %zmm31, 2432(%rdi)
        kmovq %k0, 2496(%rdi)
        kmovq %k1, 2504(%rdi)
        kmovq %k2, 2512(%rdi)
        kmovq %k3, 2520(%rdi)
        kmovq %k4, 2528(%rdi)
        kmovq %k5, 2536(%rdi)
        kmovq %k6, 2544(%rdi)
        kmovq %k7, 2552(%rdi)
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

    // On a fault only `vector`, the FXSAVE image and what is above it in the vector registers and opmasks mean anything.
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
