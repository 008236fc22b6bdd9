#pragma once
// Builds Forms out of handler templates: one instance for each operand size and place of the operands.

#include "engine/cpu/x86/access.h"

namespace engine::x86 {

// Read, change, write back. `change` runs exactly once with the old value unless the access is locked, when it may run
// again; it may change flags, since every fault comes before it.
bool probe_write(Cpu& c, const Insn* i, u64 linear, unsigned size);    // mmu.cpp; true: plain memory on one page
void locked_slow_begin(Cpu& c);    // vcpu_x86.cpp: stops the other vCPUs, until locked_slow_end or a fault
void locked_slow_end(Cpu& c);

template <class T, class Change> [[gnu::always_inline]] inline void modify_at(Cpu& c, const Insn* i, u64 offset, Change change)
{
    const u64 linear = linear_address<Access::write>(c, i, i->segment, offset, sizeof(T));
    const TlbEntry& entry = c.tlb->entry(Access::write, linear);
    T* at = reinterpret_cast<T*>(entry.host + (linear ^ entry.tag));
    if ((linear ^ entry.tag) > page_size - sizeof(T)) [[unlikely]]
        at = reinterpret_cast<T*>(host_address(c, i, linear, sizeof(T), Access::write));
    if (!at) [[unlikely]] {
        probe_write(c, i, linear, sizeof(T));
        const bool alone = i->lock();
        if (alone)
            locked_slow_begin(c);
        const T old = T(load_slow(c, i, linear, sizeof(T)));
        store_slow(c, i, linear, change(old), sizeof(T));
        if (alone)
            locked_slow_end(c);
        return;
    }
    if (!i->lock()) {
        T old;
        __builtin_memcpy(&old, at, sizeof old);
        const T fresh = change(old);
        __builtin_memcpy(at, &fresh, sizeof fresh);
        return;
    }
    const LazyFlags before = c.lazy;
    T old = __atomic_load_n(at, __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(at, &old, change(old), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        c.lazy = before;
}

template <class T, class Change> [[gnu::always_inline]] inline void modify(Cpu& c, const Insn* i, Change change)
{
    modify_at<T>(c, i, effective_address(c, i), change);
}

// Op: static T apply(Cpu&, T a, T b); Op::writes says whether the result goes back to the destination.
template <class Op, class T, Form form> void binary(Cpu& c, const Insn* i)
{
    const auto right = [&] {
        if constexpr (form == form_rr || form == form_mr)
            return c.reg<T>(i->src);
        else if constexpr (form == form_rm)
            return load_operand<T>(c, i);
        else
            return T(i->imm);
    };
    if constexpr (form == form_rr || form == form_rm || form == form_ri) {
        const T b = right();
        const T r = Op::template apply<T>(c, c.reg<T>(i->dst), b);
        if constexpr (Op::writes)
            c.set_reg<T>(i->dst, r);
    } else if constexpr (Op::writes) {
        modify<T>(c, i, [&](T a) { return Op::template apply<T>(c, a, right()); });
    } else {
        Op::template apply<T>(c, load_operand<T>(c, i), right());
    }
    return next(c, i);
}

// Op: static T apply(Cpu&, T a); one operand, changed in place.
template <class Op, class T, Form form> void unary(Cpu& c, const Insn* i)
{
    if constexpr (form == form_rr)
        c.set_reg<T>(i->dst, Op::template apply<T>(c, c.reg<T>(i->dst)));
    else
        modify<T>(c, i, [&](T a) { return Op::template apply<T>(c, a); });
    return next(c, i);
}

template <class Op> constexpr Forms binary_forms()
{
    return {{{
        {&binary<Op, u8, form_rr>, &binary<Op, u16, form_rr>, &binary<Op, u32, form_rr>, &binary<Op, u64, form_rr>},
        {&binary<Op, u8, form_rm>, &binary<Op, u16, form_rm>, &binary<Op, u32, form_rm>, &binary<Op, u64, form_rm>},
        {&binary<Op, u8, form_mr>, &binary<Op, u16, form_mr>, &binary<Op, u32, form_mr>, &binary<Op, u64, form_mr>},
        {&binary<Op, u8, form_ri>, &binary<Op, u16, form_ri>, &binary<Op, u32, form_ri>, &binary<Op, u64, form_ri>},
        {&binary<Op, u8, form_mi>, &binary<Op, u16, form_mi>, &binary<Op, u32, form_mi>, &binary<Op, u64, form_mi>},
    }}};
}

template <class Op> constexpr Forms unary_forms()
{
    return {{{
        {&unary<Op, u8, form_rr>, &unary<Op, u16, form_rr>, &unary<Op, u32, form_rr>, &unary<Op, u64, form_rr>},
        {},
        {&unary<Op, u8, form_mr>, &unary<Op, u16, form_mr>, &unary<Op, u32, form_mr>, &unary<Op, u64, form_mr>},
        {},
        {},
    }}};
}

// The same handlers by size for every form: they look at Insn::memory() themselves.
constexpr Forms sized_forms(Handler h8, Handler h16, Handler h32, Handler h64)
{
    Forms forms;
    for (auto& sizes : forms.by)
        sizes = {h8, h16, h32, h64};
    return forms;
}

}
