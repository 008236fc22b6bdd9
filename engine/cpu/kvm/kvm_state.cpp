#include "engine/cpu/kvm/kvm_state.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

#include <cpuid.h>
#include <linux/kvm.h>

#include "engine/base/bits.h"
#include "engine/cpu/kvm/kvm_device.h"
#include "engine/cpu/kvm/kvm_list.h"
#include "engine/cpu/x86/cpuid.h"

namespace engine {

using x86::CpuState;

namespace {

// Model-specific registers, SDM vol. 4, table 2-2.
struct CanonicalMsr {
    u32 index;
    u64 CpuState::*field;
};
// clang-format off
constexpr CanonicalMsr plain_msrs[] = {
    {0x0000003a, &CpuState::feature_control},
    {0x0000003b, &CpuState::tsc_adjust},
    {0x00000048, &CpuState::spec_ctrl},
    {0x00000174, &CpuState::sysenter_cs},
    {0x00000175, &CpuState::sysenter_esp},
    {0x00000176, &CpuState::sysenter_eip},
    {0x000001a0, &CpuState::misc_enable},
    {0x00000277, &CpuState::pat},
    {0x000002ff, &CpuState::mtrr_default},
    {0xc0000081, &CpuState::star},
    {0xc0000082, &CpuState::lstar},
    {0xc0000083, &CpuState::cstar},
    {0xc0000084, &CpuState::syscall_mask},
    {0xc0000102, &CpuState::kernel_gs_base},
    {0xc0000103, &CpuState::tsc_aux},
};
// clang-format on
constexpr u32 mtrr_physbase0 = 0x200;
constexpr u32 mtrr_fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

// Calls `visit(index, value)` for every register of `state`, const or not.
template <class State, class Visit> void for_each_msr(State& state, Visit visit)
{
    for (const CanonicalMsr& msr : plain_msrs)
        visit(msr.index, state.*msr.field);
    for (unsigned n = 0; n < std::size(mtrr_fixed); ++n)
        visit(mtrr_fixed[n], state.mtrr_fixed[n]);
    for (unsigned n = 0; n < state.mtrr_variable.size(); ++n)
        visit(mtrr_physbase0 + n, state.mtrr_variable[n]);
}

using MsrList = KvmList<kvm_msr_entry, 64>;

// KVM stops at the first register it doesn't have: goes on behind it. `done(index, value)` hears what was transferred.
template <class Done> void transfer(const FileDescriptor& vcpu, unsigned long request, const MsrList& all, Done done)
{
    for (std::size_t first = 0; first < all.count();) {
        MsrList rest;
        for (const kvm_msr_entry& entry : all.entries().subspan(first))
            rest.add(entry);
        const auto count = std::size_t(std::max(control(vcpu, request, rest.data()), 0));
        for (const kvm_msr_entry& entry : rest.entries().first(count))
            done(entry.index, entry.data);
        first += count + 1;
    }
}

void save_msrs(const FileDescriptor& vcpu, CpuState& s)
{
    MsrList batch;
    for_each_msr(s, [&](u32 index, u64&) { batch.add({.index = index}); });
    transfer(vcpu, kvm_request::get_msrs, batch, [&](u32 index, u64 value) {
        for_each_msr(s, [&](u32 n, u64& field) {
            if (n == index)
                field = value;
        });
    });
}

void load_msrs(const FileDescriptor& vcpu, const CpuState& s)
{
    MsrList batch;
    for_each_msr(s, [&](u32 index, const u64& value) { batch.add({.index = index, .data = value}); });
    transfer(vcpu, kvm_request::set_msrs, batch, [](u32, u64) {});
}

// Attributes as in x86::Segment: type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15.
x86::Segment from_kvm(const kvm_segment& k)
{
    const bool present = k.present && !k.unusable;
    const unsigned attributes = (k.type & 15u) | (k.s & 1u) << 4 | (k.dpl & 3u) << 5 | unsigned(present) << 7 | (k.avl & 1u) << 12
        | (k.l & 1u) << 13 | (k.db & 1u) << 14 | (k.g & 1u) << 15;
    return {.selector = k.selector, .attributes = u16(attributes), .limit = k.limit, .base = k.base};
}

kvm_segment to_kvm(const x86::Segment& s)
{
    const auto field = [&](unsigned low, unsigned mask) { return u8(s.attributes >> low & mask); };
    const u8 present = field(7, 1);
    return {
        .base = s.base,
        .limit = s.limit,
        .selector = s.selector,
        .type = field(0, 15),
        .present = present,
        .dpl = field(5, 3),
        .db = field(14, 1),
        .s = field(4, 1),
        .l = field(13, 1),
        .g = field(15, 1),
        .avl = field(12, 1),
        .unusable = u8(!present)};
}

constexpr __u64 kvm_regs::*general[]
    = {&kvm_regs::rax, &kvm_regs::rcx, &kvm_regs::rdx, &kvm_regs::rbx, &kvm_regs::rsp, &kvm_regs::rbp,
       &kvm_regs::rsi, &kvm_regs::rdi, &kvm_regs::r8,  &kvm_regs::r9,  &kvm_regs::r10, &kvm_regs::r11,
       &kvm_regs::r12, &kvm_regs::r13, &kvm_regs::r14, &kvm_regs::r15};
constexpr kvm_segment kvm_sregs::*segment_registers[]
    = {&kvm_sregs::es, &kvm_sregs::cs, &kvm_sregs::ss, &kvm_sregs::ds, &kvm_sregs::fs, &kvm_sregs::gs};

void save_registers(const kvm_regs& regs, const kvm_sregs& sregs, CpuState& s)
{
    for (unsigned n = 0; n < s.gpr.size(); ++n)
        s.gpr[n] = regs.*general[n];
    s.rip = regs.rip;
    s.rflags = regs.rflags;
    for (unsigned n = 0; n < x86::segment_count; ++n)
        s.segments[n] = from_kvm(sregs.*segment_registers[n]);
    s.ldtr = from_kvm(sregs.ldt);
    s.tr = from_kvm(sregs.tr);
    s.gdtr = {.base = sregs.gdt.base, .limit = sregs.gdt.limit};
    s.idtr = {.base = sregs.idt.base, .limit = sregs.idt.limit};
    s.cr0 = sregs.cr0;
    s.cr2 = sregs.cr2;
    s.cr3 = sregs.cr3;
    s.cr4 = sregs.cr4;
    s.cr8 = sregs.cr8;
    s.efer = sregs.efer;
    s.apic_base = sregs.apic_base;
}

void load_registers(const CpuState& s, kvm_regs& regs, kvm_sregs& sregs)
{
    for (unsigned n = 0; n < s.gpr.size(); ++n)
        regs.*general[n] = s.gpr[n];
    regs.rip = s.rip;
    regs.rflags = s.rflags | 2;
    for (unsigned n = 0; n < x86::segment_count; ++n)
        sregs.*segment_registers[n] = to_kvm(s.segments[n]);
    sregs.ldt = to_kvm(s.ldtr);
    sregs.tr = to_kvm(s.tr);
    sregs.gdt = {.base = s.gdtr.base, .limit = s.gdtr.limit};
    sregs.idt = {.base = s.idtr.base, .limit = s.idtr.limit};
    sregs.cr0 = s.cr0;
    sregs.cr2 = s.cr2;
    sregs.cr3 = s.cr3;
    sregs.cr4 = s.cr4;
    sregs.cr8 = s.cr8;
    sregs.efer = s.efer;
    sregs.apic_base = s.apic_base;
}

// The legacy region of an XSAVE image in its 64-bit form, SDM vol. 1, 10.5.1 and 13.4. KVM_SET_FPU would leave MXCSR out.
// The image has the registers in stack order, the canonical state in physical order.
constexpr unsigned fx_control = 0, fx_status = 2, fx_tags = 4, fx_opcode = 6, fx_instruction = 8, fx_data = 16, fx_mxcsr = 24,
                   fx_registers = 32, fx_xmm = 160, xsave_header = 512;
constexpr u64 x87_and_sse = 3;

// Where the host's processor, and with it KVM, has a component: leaf 0DH. 0 if it has none.
struct Place {
    u32 at = 0, size = 0;
};
unsigned place_of(const x86::XsaveComponent& which, std::size_t size)
{
    static const auto places = [] {
        std::array<Place, 10> found{};
        for (u32 n = 2; n < found.size(); ++n) {
            u32 ecx = 0, edx = 0;
            __cpuid_count(0xd, n, found[n].size, found[n].at, ecx, edx);
        }
        return found;
    }();
    const Place& place = places[unsigned(std::countr_zero(which.component))];
    return place.size >= size && place.at + size <= sizeof(KvmXsave::bytes) ? place.at : 0;
}

// each(bit, place, the state's part) for what lies behind the header.
void each_component(auto& state, auto each)
{
    auto& f = state.fpu;
    const auto one
        = [&](const x86::XsaveComponent& which, auto& part) { each(which.component, place_of(which, sizeof part), part); };
    one(x86::xsave_avx, f.ymm_high);
    one(x86::xsave_opmask, f.opmask);
    one(x86::xsave_zmm_high, f.zmm_high);
    one(x86::xsave_zmm, f.zmm);
    one(x86::xsave_pkru, state.pkru);
}

void save_fpu(const KvmXsave& image, CpuState& to)
{
    x86::FpuState& f = to.fpu;
    const u8* k = image.bytes;
    f.control = load_le<u16>(k + fx_control);
    f.status = load_le<u16>(k + fx_status);
    f.valid = k[fx_tags];
    f.opcode = load_le<u16>(k + fx_opcode) & 0x7ff;
    f.instruction_pointer = load_le<u64>(k + fx_instruction);
    f.data_pointer = load_le<u64>(k + fx_data);
    f.mxcsr = load_le<u32>(k + fx_mxcsr);
    const unsigned top = f.status >> 11 & 7;
    for (unsigned n = 0; n < 8; ++n) {
        x86::X87Register& r = f.registers[(top + n) & 7];
        r.significand = load_le<u64>(k + fx_registers + 16 * n);
        r.sign_exponent = load_le<u16>(k + fx_registers + 16 * n + 8);
    }
    for (unsigned n = 0; n < f.xmm.size(); ++n)
        std::memcpy(f.xmm[n].q.data(), k + fx_xmm + 16 * n, 16);
    const u64 present = load_le<u64>(k + xsave_header);
    each_component(to, [&](u64 component, unsigned at, auto& part) {
        part = {};
        if (at && present & component)
            std::memcpy(&part, k + at, sizeof part);
    });
}

void load_fpu(const CpuState& from, KvmXsave& image)
{
    const x86::FpuState& f = from.fpu;
    u8* k = image.bytes;
    store_le<u16>(k + fx_control, f.control);
    store_le<u16>(k + fx_status, f.status);
    k[fx_tags] = f.valid;
    store_le<u16>(k + fx_opcode, f.opcode);
    store_le<u64>(k + fx_instruction, f.instruction_pointer);
    store_le<u64>(k + fx_data, f.data_pointer);
    store_le<u32>(k + fx_mxcsr, f.mxcsr & 0xffff);
    const unsigned top = f.status >> 11 & 7;
    for (unsigned n = 0; n < 8; ++n) {
        const x86::X87Register& r = f.registers[(top + n) & 7];
        store_le<u64>(k + fx_registers + 16 * n, r.significand);
        store_le<u16>(k + fx_registers + 16 * n + 8, r.sign_exponent);
    }
    for (unsigned n = 0; n < f.xmm.size(); ++n)
        std::memcpy(k + fx_xmm + 16 * n, f.xmm[n].q.data(), 16);
    u64 present = x87_and_sse;
    // A host without one refuses it, as it should; but PKRU is nothing to it.
    each_component(from, [&](u64 component, unsigned at, const auto& part) {
        if (part == std::remove_cvref_t<decltype(part)>{} || (!at && component == x86::xcr0_pkru))
            return;
        if (at)
            std::memcpy(k + at, &part, sizeof part);
        present |= component;
    });
    store_le<u64>(k + xsave_header, present);
}

// XCR0 is 1 where KVM knows no other.
u64 read_xcr0(const FileDescriptor& vcpu)
{
    kvm_xcrs k{};
    if (control(vcpu, KVM_GET_XCRS, &k) != 0)
        return 1;
    for (unsigned n = 0; n < std::min<unsigned>(k.nr_xcrs, KVM_MAX_XCRS); ++n)
        if (k.xcrs[n].xcr == 0)
            return k.xcrs[n].value;
    return 1;
}

bool write_xcr0(const FileDescriptor& vcpu, u64 value)
{
    kvm_xcrs k{};
    k.nr_xcrs = 1;
    k.xcrs[0].value = value;
    return control(vcpu, KVM_SET_XCRS, &k) == 0 || value == 1;
}

kvm_debugregs load_debug_registers(const CpuState& s)
{
    kvm_debugregs k{};
    std::copy(s.dr.begin(), s.dr.end(), k.db);
    k.dr6 = u32(s.dr6);
    k.dr7 = u32(s.dr7);
    return k;
}

kvm_vcpu_events load_events(const CpuState& s)
{
    kvm_vcpu_events k{};
    k.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
    k.nmi.pending = s.nmi_pending;
    k.nmi.masked = s.nmi_blocked;
    k.interrupt.shadow = s.interrupt_shadow ? KVM_X86_SHADOW_INT_STI : 0;
    return k;
}

u32 mp_state_of(x86::RunState state)
{
    switch (state) {
    case x86::RunState::halted:
        return KVM_MP_STATE_HALTED;
    case x86::RunState::wait_for_sipi:
        return KVM_MP_STATE_INIT_RECEIVED;
    case x86::RunState::running:
        break;
    }
    return KVM_MP_STATE_RUNNABLE;
}

x86::RunState run_state_of(u32 mp_state)
{
    switch (mp_state) {
    case KVM_MP_STATE_HALTED:
        return x86::RunState::halted;
    case KVM_MP_STATE_UNINITIALIZED:
    case KVM_MP_STATE_INIT_RECEIVED:
        return x86::RunState::wait_for_sipi;
    default:
        return x86::RunState::running;
    }
}

}

u64 read_kvm_msr(const FileDescriptor& vcpu, u32 index)
{
    MsrList one;
    one.add({.index = index});
    return control(vcpu, kvm_request::get_msrs, one.data()) == 1 ? one.entries()[0].data : 0;
}

bool write_kvm_msr(const FileDescriptor& vcpu, u32 index, u64 value)
{
    MsrList one;
    one.add({.index = index, .data = value});
    return control(vcpu, kvm_request::set_msrs, one.data()) == 1;
}

Result<void> save_kvm_state(const FileDescriptor& vcpu, CpuState& to)
{
    kvm_regs regs{};
    kvm_sregs sregs{};
    KvmXsave fpu{};
    kvm_debugregs debug{};
    kvm_vcpu_events events{};
    kvm_mp_state mp{};
    // MP_STATE first: asking for it lets KVM carry out an INIT or SIPI that waits.
    const bool read = control(vcpu, KVM_GET_MP_STATE, &mp) == 0 && control(vcpu, KVM_GET_REGS, &regs) == 0
        && control(vcpu, KVM_GET_SREGS, &sregs) == 0 && control(vcpu, kvm_request::get_xsave, &fpu) == 0
        && control(vcpu, KVM_GET_DEBUGREGS, &debug) == 0 && control(vcpu, KVM_GET_VCPU_EVENTS, &events) == 0;
    if (!read)
        return kvm_error("hand out a processor's state");
    to = {};
    save_registers(regs, sregs, to);
    save_fpu(fpu, to);
    std::copy(std::begin(debug.db), std::end(debug.db), to.dr.begin());
    to.dr6 = debug.dr6;
    to.dr7 = debug.dr7;
    to.nmi_blocked = events.nmi.masked;
    to.nmi_pending = events.nmi.pending;
    to.interrupt_shadow = events.interrupt.shadow != 0;
    to.run_state = run_state_of(mp.mp_state);
    to.xcr0 = read_xcr0(vcpu);
    save_msrs(vcpu, to);
    return {};
}

Result<void> load_kvm_state(const FileDescriptor& vcpu, const CpuState& from)
{
    kvm_regs regs{};
    kvm_sregs sregs{};
    load_registers(from, regs, sregs);
    KvmXsave fpu{};
    load_fpu(from, fpu);
    const kvm_debugregs debug = load_debug_registers(from);
    const kvm_vcpu_events events = load_events(from);
    const kvm_mp_state mp{.mp_state = mp_state_of(from.run_state)}, runnable{.mp_state = KVM_MP_STATE_RUNNABLE};
    // Runnable at first: KVM takes no events for a processor that waits for INIT. Its own state last.
    const bool written = control(vcpu, KVM_SET_MP_STATE, &runnable) == 0 && control(vcpu, KVM_SET_SREGS, &sregs) == 0
        && control(vcpu, KVM_SET_REGS, &regs) == 0 && control(vcpu, kvm_request::set_xsave, &fpu) == 0
        && control(vcpu, KVM_SET_DEBUGREGS, &debug) == 0;
    if (!written)
        return kvm_error("take over a processor's state");
    if (!write_xcr0(vcpu, from.xcr0))
        return kvm_error("take over the processor's extended states, which this host does not have");
    load_msrs(vcpu, from);
    if (control(vcpu, KVM_SET_VCPU_EVENTS, &events) != 0 || control(vcpu, KVM_SET_MP_STATE, &mp) != 0)
        return kvm_error("take over a processor's pending events");
    return {};
}

}
