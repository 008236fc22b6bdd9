// String instructions. A repeated one is restartable after each element: registers are committed as it goes. Where both
// sides are plain memory, whole pages are copied at a time.

#include <algorithm>
#include <cstring>

#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/io.h"
#include "engine/cpu/x86/run_loop.h"

namespace engine::x86 {

namespace {

// RSI, RDI and RCX at the instruction's address size.
u64 pointer(const Cpu& c, const Insn* i, Register r)
{
    return c.gpr[r] & i->address_mask;
}

void set_pointer(Cpu& c, const Insn* i, Register r, u64 value)
{
    if (i->address_size == 2)
        c.set_reg<u16>(r * 8, u16(value));
    else if (i->address_size == 4)
        c.gpr[r] = u32(value);
    else
        c.gpr[r] = value;
}
void advance(Cpu& c, const Insn* i, Register r, i64 bytes)
{
    set_pointer(c, i, r, c.gpr[r] + u64(bytes));
}

template <class T> i64 step(const Cpu& c)
{
    return c.flag(flag_d) ? -i64(sizeof(T)) : i64(sizeof(T));
}

template <class T> T load_source(Cpu& c, const Insn* i)
{
    return load<T>(c, i, pointer(c, i, rsi));
}
template <class T> T load_destination(Cpu& c, const Insn* i)
{
    return load_linear<T>(c, i, linear_address<Access::read>(c, i, es, pointer(c, i, rdi), sizeof(T)));
}
template <class T> void store_destination(Cpu& c, const Insn* i, T value)
{
    store_linear<T>(c, i, linear_address<Access::write>(c, i, es, pointer(c, i, rdi), sizeof(T)), value);
}

// Runs `element` RCX times, or until it returns false (compares). Looks at requests now and then, and lets an interrupt
// in between two elements: RIP stays at the instruction then.
// `stretch` does several at a time where it can.
template <class Element, class Stretch> void repeat(Cpu& c, const Insn* i, Element element, Stretch stretch)
{
    while (const u64 count = pointer(c, i, rcx)) {
        bool more = true;
        if (!stretch()) {
            more = element();
            set_pointer(c, i, rcx, count - 1);
        }
        if (!more)
            break;
        if (pointer(c, i, rcx) && (c.request.pending() || c.mode & mode_single)) {
            c.gpr[gpr_rip] = c.ip(i);
            // The rest of it is not a new instruction to a breakpoint.
            if (c.mode & mode_single)
                c.rflags_other |= flag_rf;
            if (!c.code_64())
                c.gpr[gpr_rip] = u32(c.gpr[gpr_rip]);
            return;
        }
    }
    return leave_block(c, i);
}

template <class Element> void repeat(Cpu& c, const Insn* i, Element element)
{
    repeat(c, i, element, [] { return false; });
}

bool repeats(const Insn* i)
{
    return i->prefix == pF3 || i->prefix == pF2;
}

// How many elements from `offset` on lie in one page and before the pointer wraps.
template <class T> u64 elements_in_page(const Insn* i, u64 linear, u64 offset)
{
    const u64 in_page = (page_size - (linear & page_mask)) / sizeof(T);
    const u64 before_wrap = (i->address_mask - offset) / sizeof(T);
    return std::min(in_page, before_wrap);
}

// A stretch of plain memory for a repeated instruction, or none: DF set, segments with limits, registers, page ends.
template <class T> struct Stretch {
    T* at = nullptr;
    OverCode over_code;    // a store has to tell of

    explicit operator bool() const { return at; }
    void written(u64 count) const
    {
        if (over_code.memory)
            over_code.memory->written(over_code.offset, count * sizeof(T));
    }
};

template <class T, Access access> Stretch<T> stretch(Cpu& c, const Insn* i, unsigned segment, Register r, u64& count)
{
    if (i->flags & Insn::flag_checked || c.flag(flag_d) || c.mode & mode_single)
        return {};
    const u64 offset = pointer(c, i, r);
    const u64 linear = (c.base[segment] + offset) & c.linear_mask;
    count = std::min(count, elements_in_page<T>(i, linear, offset));
    if (count == 0)
        return {};
    if (u8* const at = host_address(c, i, linear, sizeof(T), access))
        return {reinterpret_cast<T*>(at), {}};
    if constexpr (access == Access::write) {
        const OverCode over = address_over_code(c, i, linear, unsigned(count * sizeof(T)));
        return {reinterpret_cast<T*>(over.host), over};
    }
    return {};
}

template <class T> bool copy_stretch(Cpu& c, const Insn* i)
{
    u64 count = pointer(c, i, rcx);
    const Stretch<T> source = stretch<T, Access::read>(c, i, i->segment, rsi, count);
    const Stretch<T> destination = source ? stretch<T, Access::write>(c, i, es, rdi, count) : Stretch<T>{};
    if (!destination || count < 2)
        return false;
    const T* const from = source.at;
    T* const to = destination.at;
    const bool overlaps_ahead = to > from && to < from + count;
    if (overlaps_ahead)
        for (u64 n = 0; n < count; ++n)
            std::memcpy(to + n, from + n, sizeof(T));
    else
        std::memmove(to, from, count * sizeof(T));
    destination.written(count);
    advance(c, i, rsi, i64(count * sizeof(T)));
    advance(c, i, rdi, i64(count * sizeof(T)));
    set_pointer(c, i, rcx, pointer(c, i, rcx) - count);
    return true;
}

template <class T> bool fill_stretch(Cpu& c, const Insn* i)
{
    u64 count = pointer(c, i, rcx);
    const Stretch<T> destination = stretch<T, Access::write>(c, i, es, rdi, count);
    if (!destination || count < 2)
        return false;
    T* const to = destination.at;
    const T value = c.reg<T>(0);
    if constexpr (sizeof(T) == 1)
        std::memset(to, value, count);
    else
        for (u64 n = 0; n < count; ++n)
            std::memcpy(to + n, &value, sizeof value);
    destination.written(count);
    advance(c, i, rdi, i64(count * sizeof(T)));
    set_pointer(c, i, rcx, pointer(c, i, rcx) - count);
    return true;
}

template <class T> void movs(Cpu& c, const Insn* i)
{
    const auto one = [&] {
        store_destination<T>(c, i, load_source<T>(c, i));
        advance(c, i, rsi, step<T>(c));
        advance(c, i, rdi, step<T>(c));
    };
    if (!repeats(i)) {
        one();
        return next(c, i);
    }
    const auto element = [&] {
        one();
        return true;
    };
    repeat(c, i, element, [&] { return copy_stretch<T>(c, i); });
}

template <class T> void stos(Cpu& c, const Insn* i)
{
    const auto one = [&] {
        store_destination<T>(c, i, c.reg<T>(0));
        advance(c, i, rdi, step<T>(c));
    };
    if (!repeats(i)) {
        one();
        return next(c, i);
    }
    const auto element = [&] {
        one();
        return true;
    };
    repeat(c, i, element, [&] { return fill_stretch<T>(c, i); });
}

template <class T> void lods(Cpu& c, const Insn* i)
{
    const auto one = [&] {
        c.set_reg<T>(0, load_source<T>(c, i));
        advance(c, i, rsi, step<T>(c));
        return true;
    };
    if (!repeats(i)) {
        one();
        return next(c, i);
    }
    repeat(c, i, one);
}

template <class T> void cmps(Cpu& c, const Insn* i)
{
    const auto one = [&] {
        const T a = load_source<T>(c, i);
        const T b = load_destination<T>(c, i);
        advance(c, i, rsi, step<T>(c));
        advance(c, i, rdi, step<T>(c));
        c.lazy.subtract<T>(a, b, T(a - b));
        return (a == b) == (i->prefix == pF3);
    };
    if (!repeats(i)) {
        one();
        return next(c, i);
    }
    repeat(c, i, one);
}

template <class T> void scas(Cpu& c, const Insn* i)
{
    const auto one = [&] {
        const T a = c.reg<T>(0);
        const T b = load_destination<T>(c, i);
        advance(c, i, rdi, step<T>(c));
        c.lazy.subtract<T>(a, b, T(a - b));
        return (a == b) == (i->prefix == pF3);
    };
    if (!repeats(i)) {
        one();
        return next(c, i);
    }
    repeat(c, i, one);
}

// The destination is checked before the port is read: a read can't be taken back.
template <class T> void ins(Cpu& c, const Insn* i)
{
    const u16 port = c.reg<u16>(rdx * 8);
    check_io_permission(c, i, port, sizeof(T));
    const auto one = [&] {
        const u64 linear = linear_address<Access::write>(c, i, es, pointer(c, i, rdi), sizeof(T));
        probe_write(c, i, linear, sizeof(T));
        note_port_access(c, i, port, sizeof(T), true, true);
        store_linear<T>(c, i, linear, T(c.ports->read(port, sizeof(T))));
        advance(c, i, rdi, step<T>(c));
        return true;
    };
    if (repeats(i))
        return repeat(c, i, one);
    one();
    return leave_block(c, i);
}

template <class T> void outs(Cpu& c, const Insn* i)
{
    const u16 port = c.reg<u16>(rdx * 8);
    check_io_permission(c, i, port, sizeof(T));
    const auto one = [&] {
        const T value = load_source<T>(c, i);
        note_port_access(c, i, port, sizeof(T), false, true);
        c.ports->write(port, value, sizeof(T));
        advance(c, i, rsi, step<T>(c));
        return true;
    };
    if (repeats(i))
        return repeat(c, i, one);
    one();
    return leave_block(c, i);
}

}

constinit const Forms movs_forms = sized_forms(&movs<u8>, &movs<u16>, &movs<u32>, &movs<u64>);
constinit const Forms cmps_forms = sized_forms(&cmps<u8>, &cmps<u16>, &cmps<u32>, &cmps<u64>);
constinit const Forms scas_forms = sized_forms(&scas<u8>, &scas<u16>, &scas<u32>, &scas<u64>);
constinit const Forms lods_forms = sized_forms(&lods<u8>, &lods<u16>, &lods<u32>, &lods<u64>);
constinit const Forms stos_forms = sized_forms(&stos<u8>, &stos<u16>, &stos<u32>, &stos<u64>);
constinit const Forms ins_forms = sized_forms(&ins<u8>, &ins<u16>, &ins<u32>, &ins<u32>);
constinit const Forms outs_forms = sized_forms(&outs<u8>, &outs<u16>, &outs<u32>, &outs<u32>);

}
