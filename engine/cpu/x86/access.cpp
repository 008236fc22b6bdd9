// Operands that are wider than a register, and checks of segments that are not flat.

#include "engine/cpu/x86/access.h"

#include <algorithm>
#include <cstring>

#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/segments.h"

namespace engine::x86 {

void check_segment(Cpu& c, const Insn* i, unsigned name, u64 offset, unsigned size, Access access)
{
    const Segment& s = c.seg[name];
    const Vector vector = name == ss ? stack_fault : general_protection;
    const u16 type = s.attributes;
    const bool protected_mode = c.protected_mode() && !c.v86();
    const bool is_code = type & attr_code;
    if (protected_mode) {
        if (!(type & attr_p) || !(type & attr_s))
            c.raise(i, vector, 0);
        if (access == Access::write && (is_code || !(type & attr_writable)))
            c.raise(i, vector, 0);
        if (access == Access::read && is_code && !(type & attr_readable))
            c.raise(i, vector, 0);
    }
    const u64 last = offset + size - 1;
    const bool down = protected_mode && !is_code && type & attr_expand_down;
    if (down) {
        const u64 highest = type & attr_db ? 0xffffffff : 0xffff;
        if (offset <= s.limit || last > highest)
            c.raise(i, vector, 0);
    } else if (last > s.limit) {
        c.raise(i, vector, 0);
    }
}

// Where alignment is checked a byte at a time: the parts' alignment means nothing.
void load_bytes(Cpu& c, const Insn* i, u64 offset, void* to, unsigned size, unsigned alignment)
{
    u8* out = static_cast<u8*>(to);
    const u64 linear = linear_address<Access::read>(c, i, i->segment, offset, size);
    check_alignment(c, i, linear, alignment);
    unsigned done = 0;
    for (; !c.soft_tlb.checks_alignment(c.tlb) && done + 8 <= size; done += 8) {
        const u64 value = load_linear<u64>(c, i, (linear + done) & c.linear_mask);
        std::memcpy(out + done, &value, 8);
    }
    for (; done < size; ++done)
        out[done] = load_linear<u8>(c, i, (linear + done) & c.linear_mask);
}

void store_bytes(Cpu& c, const Insn* i, u64 offset, const void* from, unsigned size, unsigned alignment)
{
    const u8* in = static_cast<const u8*>(from);
    const u64 linear = linear_address<Access::write>(c, i, i->segment, offset, size);
    // Both ends first, so that a fault leaves memory as it was.
    probe_write(c, i, linear, size);
    check_alignment(c, i, linear, alignment);
    unsigned done = 0;
    for (; !c.soft_tlb.checks_alignment(c.tlb) && done + 8 <= size; done += 8) {
        u64 value = 0;
        std::memcpy(&value, in + done, 8);
        store_linear<u64>(c, i, (linear + done) & c.linear_mask, value);
    }
    for (; done < size; ++done)
        store_linear<u8>(c, i, (linear + done) & c.linear_mask, in[done]);
}

Xmm load_xmm(Cpu& c, const Insn* i, u64 offset)
{
    const u64 linear = linear_address<Access::read>(c, i, i->segment, offset, 16);
    if (i->row->traits & aligned_16 && linear & 15)
        c.raise(i, general_protection, 0);
    const TlbEntry& entry = c.tlb->entry(Access::read, linear);
    Xmm value;
    if ((linear ^ entry.tag) <= page_size - 16) [[likely]] {
        std::memcpy(&value, reinterpret_cast<const void*>(entry.host + (linear ^ entry.tag)), 16);
        return value;
    }
    if (c.soft_tlb.checks_alignment(c.tlb)) {
        load_bytes(c, i, offset, &value, sizeof value);
        return value;
    }
    value.q[0] = load_linear<u64>(c, i, linear);
    value.q[1] = load_linear<u64>(c, i, (linear + 8) & c.linear_mask);
    return value;
}

void store_xmm(Cpu& c, const Insn* i, u64 offset, const Xmm& value)
{
    const u64 linear = linear_address<Access::write>(c, i, i->segment, offset, 16);
    if (i->row->traits & aligned_16 && linear & 15)
        c.raise(i, general_protection, 0);
    const TlbEntry& entry = c.tlb->entry(Access::write, linear);
    if ((linear ^ entry.tag) <= page_size - 16) [[likely]] {
        std::memcpy(reinterpret_cast<void*>(entry.host + (linear ^ entry.tag)), &value, 16);
        return;
    }
    if (c.soft_tlb.checks_alignment(c.tlb))
        return store_bytes(c, i, offset, &value, sizeof value);
    probe_write(c, i, linear, 16);
    store_linear<u64>(c, i, linear, value.q[0]);
    store_linear<u64>(c, i, (linear + 8) & c.linear_mask, value.q[1]);
}

}
