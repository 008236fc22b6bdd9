#pragma once
// Segment registers and descriptors. SDM vol. 3, chapters 3 and 5.

#include "engine/cpu/x86/access.h"

namespace engine::x86 {

// Bits of Segment::attributes.
constexpr u16 attr_type = 0x0f, attr_s = 0x10, attr_p = 0x80, attr_l = 0x2000, attr_db = 0x4000, attr_g = 0x8000;
constexpr u16 attr_accessed = 1, attr_writable = 2, attr_readable = 2, attr_conforming = 4, attr_expand_down = 4, attr_code = 8;
constexpr u16 attr_busy = 2;
constexpr unsigned dpl_of(u16 attributes)
{
    return attributes >> 5 & 3;
}

// System descriptor types.
constexpr unsigned tss_16_available = 1, ldt_type = 2, tss_16_busy = 3, call_gate_16 = 4, task_gate = 5, interrupt_gate_16 = 6,
                   trap_gate_16 = 7, tss_32_available = 9, tss_32_busy = 11, call_gate_32 = 12, interrupt_gate_32 = 14,
                   trap_gate_32 = 15;

struct Descriptor {
    u16 selector = 0;
    u64 raw = 0;
    u64 raw_high = 0;    // second half of a 16-byte system descriptor
    u64 address = 0;    // linear

    u16 attributes() const { return u16(raw >> 40 & 0xf0ff); }
    unsigned type() const { return attributes() & attr_type; }
    unsigned dpl() const { return dpl_of(attributes()); }
    bool present() const { return attributes() & attr_p; }
    bool system() const { return !(attributes() & attr_s); }
    bool code() const { return !system() && attributes() & attr_code; }
    bool conforming() const { return code() && attributes() & attr_conforming; }
    bool writable_data() const { return !system() && !(attributes() & attr_code) && attributes() & attr_writable; }
    bool readable() const { return !system() && (!(attributes() & attr_code) || attributes() & attr_readable); }
    Segment segment() const;

    // As a gate.
    u16 gate_selector() const { return u16(raw >> 16); }
    u32 gate_offset() const { return u32((raw & 0xffff) | (raw >> 32 & 0xffff0000)); }
    unsigned gate_words() const { return unsigned(raw >> 32 & 31); }
    unsigned gate_ist() const { return unsigned(raw >> 32 & 7); }
};

// Accesses with supervisor rights whatever CPL is: descriptor tables, TSS.
template <class T> T load_system(Cpu& c, const Insn* i, u64 linear);
template <class T> void store_system(Cpu& c, const Insn* i, u64 linear, T value);

// False when the selector's index is outside its table.
bool find_descriptor(Cpu& c, const Insn* i, u16 selector, Descriptor& found);
// The same, or raises `vector` with the selector as error code.
Descriptor fetch_descriptor(Cpu& c, const Insn* i, u16 selector, Vector vector);
void set_accessed(Cpu& c, const Insn* i, Descriptor& descriptor);
// Reads the upper half of a 16-byte descriptor (long mode's LDT, TSS and call gates).
void fetch_upper_half(Cpu& c, const Insn* i, Descriptor& descriptor);

// MOV, POP and far loads of ES, SS, DS, FS, GS: checks, accessed bit, hidden part.
void load_segment(Cpu& c, const Insn* i, SegmentName name, u16 selector);
// Real and virtual-8086 mode.
void load_segment_real(Cpu& c, SegmentName name, u16 selector);
// SS for a privilege level that CPL is about to become; errors with `vector` and the selector (and EXT).
Segment checked_stack_segment(Cpu& c, const Insn* i, u16 selector, unsigned cpl, Vector vector);
// After a return to an outer level: what that level may not see becomes null.
void drop_inner_segments(Cpu& c);

// 16-, 32- or 64-bit TSS's stack for a level.
struct StackPointer {
    u16 selector;
    u64 offset;
};
StackPointer stack_from_tss(Cpu& c, const Insn* i, unsigned level);
u64 interrupt_stack(Cpu& c, const Insn* i, unsigned ist);

void load_ldtr(Cpu& c, const Insn* i, u16 selector, Vector vector);
void load_tr(Cpu& c, const Insn* i, u16 selector);

// Selector error code, with EXT while an external event is delivered.
inline u32 selector_error(const Cpu& c, u16 selector)
{
    return u32(selector & 0xfffc) | u32(c.delivering_external);
}

}
