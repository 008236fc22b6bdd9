#pragma once
// The canonical state of an x86 processor: what KVM and Paddock's own engine both load and store, and what a snapshot
// holds. Everything architectural and nothing derived. Intel SDM vol. 3; reset values from table 10-1 (9-1 in older ones).

#include <array>

#include "engine/base/types.h"
#include "engine/state/state_visitor.h"

namespace engine::x86 {

enum SegmentName : u8 { es, cs, ss, ds, fs, gs, segment_count };

// `attributes` is the descriptor's second word from bit 8 on: type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15.
// `limit` is in bytes, already scaled by G.
struct Segment {
    u16 selector = 0;
    u16 attributes = 0;
    u32 limit = 0;
    u64 base = 0;

    void visit(StateVisitor& v);
    bool operator==(const Segment&) const = default;
};

struct DescriptorTable {
    u64 base = 0;
    u16 limit = 0xffff;

    void visit(StateVisitor& v);
    bool operator==(const DescriptorTable&) const = default;
};

struct alignas(16) Xmm {
    std::array<u64, 2> q{};
    bool operator==(const Xmm&) const = default;
};

// Bits 511:256 of a ZMM register, and all of one.
struct alignas(16) ZmmHigh {
    std::array<u64, 4> q{};
    bool operator==(const ZmmHigh&) const = default;
};
struct alignas(16) Zmm {
    std::array<u64, 8> q{};
    bool operator==(const Zmm&) const = default;
};

// An x87 register as memory holds it: 64-bit significand, then sign and exponent.
struct X87Register {
    u64 significand = 0;
    u16 sign_exponent = 0;
    bool operator==(const X87Register&) const = default;
};

struct FpuState {
    u16 control = 0x37f;
    u16 status = 0;    // TOP in bits 11-13
    u8 valid = 0;    // abridged tags as in FXSAVE: bit n = physical register n is not empty
    u16 opcode = 0;
    u64 instruction_pointer = 0;
    u64 data_pointer = 0;
    u16 instruction_selector = 0;
    u16 data_selector = 0;
    std::array<X87Register, 8> registers{};    // physical order R0-R7; MMn is register n's significand
    std::array<Xmm, 16> xmm{};
    std::array<Xmm, 16> ymm_high{};    // bits 255:128 of YMM0-15
    std::array<ZmmHigh, 16> zmm_high{};    // of ZMM0-15
    std::array<Zmm, 16> zmm{};    // ZMM16-31
    std::array<u64, 8> opmask{};    // k0-k7
    u32 mxcsr = 0x1f80;

    void visit(StateVisitor& v);
    bool operator==(const FpuState&) const = default;
};

enum class RunState : u8 { running, halted, wait_for_sipi };

struct CpuState {
    std::array<u64, 16> gpr{};    // rax rcx rdx rbx rsp rbp rsi rdi r8-r15
    u64 rip = 0xfff0;
    u64 rflags = 2;
    std::array<Segment, segment_count> segments{};
    Segment ldtr, tr;
    DescriptorTable gdtr, idtr;
    u64 cr0 = 0x60000010, cr2 = 0, cr3 = 0, cr4 = 0, cr8 = 0;
    u64 xcr0 = 1;
    std::array<u64, 4> dr{};
    u64 dr6 = 0xffff0ff0, dr7 = 0x400;
    FpuState fpu;

    u64 efer = 0, star = 0, lstar = 0, cstar = 0, syscall_mask = 0, kernel_gs_base = 0;
    u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
    u64 pat = 0x0007040600070406, apic_base = 0xfee00900, misc_enable = 1, feature_control = 0, tsc_aux = 0;
    u64 mtrr_default = 0;
    std::array<u64, 11> mtrr_fixed{};
    std::array<u64, 16> mtrr_variable{};    // base, mask, base, mask …
    u64 tsc_offset = 0;    // added to the machine's time stamp
    u64 tsc_adjust = 0;    // what IA32_TSC_ADJUST tells of it
    u32 pkru = 0;    // what each protection key forbids, two bits a key
    u64 spec_ctrl = 0;
    u32 smbase = 0x30000;

    RunState run_state = RunState::running;
    bool in_smm = false;
    bool nmi_blocked = false, nmi_pending = false, smi_pending = false;
    bool interrupt_shadow = false;    // one instruction after STI or MOV SS

    CpuState();    // power-on reset of the boot processor
    void visit(StateVisitor& v);
    bool operator==(const CpuState&) const = default;
};

}
