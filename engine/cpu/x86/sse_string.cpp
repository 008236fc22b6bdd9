// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM vol. 1, chapter "Programming with SSE4.2"; vol. 2, 4.1) and CRC32.
#include "engine/cpu/x86/sse_handlers.h"

namespace engine::x86 {

namespace {

// The immediate, vol. 2, 4.1.1 to 4.1.5.
constexpr u8 source_words = 1, source_signed = 2, polarity_negative = 0x10, polarity_masked = 0x20, output_high = 0x40;
enum Aggregation : u8 { equal_any, ranges, equal_each, equal_ordered };

struct Text {
    std::array<i32, 16> at;
    unsigned length;
};

template <class T> Text text_of(Lanes from, unsigned length)
{
    Text text{{}, length};
    const auto all = elements<T>(from);
    for (unsigned n = 0; n < all.size(); ++n)
        text.at[n] = i32{all[n]};
    return text;
}

Text text_of(Lanes from, u8 control, unsigned length)
{
    if (control & source_signed)
        return control & source_words ? text_of<i16>(from, length) : text_of<i8>(from, length);
    return control & source_words ? text_of<u16>(from, length) : text_of<u8>(from, length);
}

// Up to the first zero element.
unsigned implicit_length(Lanes from, u8 control)
{
    const unsigned count = control & source_words ? 8 : 16;
    const Text text = text_of(from, u8(control & source_words), count);
    unsigned length = 0;
    while (length < count && text.at[length] != 0)
        ++length;
    return length;
}

// The magnitude of EAX or EDX (RAX, RDX with REX.W), at most `count`.
unsigned explicit_length(u64 value, bool wide, unsigned count)
{
    const i64 length = wide ? i64(value) : i64(i32(u32(value)));
    if (length >= i64(count) || length <= -i64(count))
        return count;
    return unsigned(length < 0 ? -length : length);
}

// Whether element n of `b` is in the set, in a range, equal, or begins the whole of `a`.
bool matches(const Text& a, const Text& b, Aggregation aggregation, unsigned n, unsigned count)
{
    const bool in_b = n < b.length;
    switch (aggregation) {
    case equal_any:
        for (unsigned k = 0; in_b && k < a.length; ++k)
            if (a.at[k] == b.at[n])
                return true;
        return false;
    case ranges:
        for (unsigned k = 0; in_b && k + 1 < a.length; k += 2)
            if (a.at[k] <= b.at[n] && b.at[n] <= a.at[k + 1])
                return true;
        return false;
    case equal_each:
        return in_b && n < a.length ? a.at[n] == b.at[n] : !in_b && n >= a.length;
    case equal_ordered:
        for (unsigned k = 0; k < a.length && n + k < count; ++k)
            if (n + k >= b.length || a.at[k] != b.at[n + k])
                return false;
        return true;
    }
    return false;
}

struct Comparison {
    u32 mask;
    unsigned count;
    u64 flags;
};

Comparison compare(const Text& a, const Text& b, u8 control)
{
    const unsigned count = control & source_words ? 8 : 16;
    u32 mask = 0;
    for (unsigned n = 0; n < count; ++n) {
        bool match = matches(a, b, Aggregation(control >> 2 & 3), n, count);
        if ((control & polarity_negative) && (!(control & polarity_masked) || n < b.length))
            match = !match;
        mask |= u32(match) << n;
    }
    const u64 flags
        = (mask ? flag_c : 0) | (b.length < count ? flag_z : 0) | (a.length < count ? flag_s : 0) | (mask & 1 ? flag_o : 0);
    return {mask, count, flags};
}

Comparison compare_explicit(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const u8 control = immediate(i);
    const Lanes b = source<Xmm>(c, i);
    const unsigned count = control & source_words ? 8 : 16;
    return compare(
        text_of(lanes(c.fpu.xmm[i->reg]), control, explicit_length(c.gpr[rax], i->rex_w(), count)),
        text_of(b, control, explicit_length(c.gpr[rdx], i->rex_w(), count)), control);
}

Comparison compare_implicit(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const u8 control = immediate(i);
    const Lanes a = lanes(c.fpu.xmm[i->reg]);
    const Lanes b = source<Xmm>(c, i);
    return compare(text_of(a, control, implicit_length(a, control)), text_of(b, control, implicit_length(b, control)), control);
}

void give_index(Cpu& c, const Insn* i, const Comparison& result)
{
    unsigned index = result.count;
    if (result.mask)
        index = immediate(i) & output_high ? unsigned(std::bit_width(result.mask)) - 1 : unsigned(std::countr_zero(result.mask));
    c.gpr[rcx] = index;
    c.lazy.set_all(result.flags);
}

void give_mask(Cpu& c, const Insn* i, const Comparison& result)
{
    Elements<u8> wide{};
    const unsigned size = 16 / result.count;
    for (unsigned n = 0; n < 16; ++n)
        wide[n] = bit(result.mask, n / size) ? 0xff : 0;
    set_vector(c, i, 0, immediate(i) & output_high ? lanes<u8>(wide) : lanes(result.mask));
    c.lazy.set_all(result.flags);
}

template <class T> void crc32(Cpu& c, const Insn* i)
{
    constexpr u32 polynomial = 0x82f63b78;    // 11EDC6F41, bits reversed
    const T value = load_src<T>(c, i);
    u32 crc = u32(c.gpr[i->reg]);
    for (unsigned n = 0; n < 8 * sizeof(T); n += 8) {
        crc ^= u8(value >> n);
        for (unsigned k = 0; k < 8; ++k)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
    }
    c.gpr[i->reg] = crc;
}

}

void pcmpestrm(Cpu& c, const Insn* i)
{
    give_mask(c, i, compare_explicit(c, i));
    return next(c, i);
}

void pcmpestri(Cpu& c, const Insn* i)
{
    give_index(c, i, compare_explicit(c, i));
    return next(c, i);
}

void pcmpistrm(Cpu& c, const Insn* i)
{
    give_mask(c, i, compare_implicit(c, i));
    return next(c, i);
}

void pcmpistri(Cpu& c, const Insn* i)
{
    give_index(c, i, compare_implicit(c, i));
    return next(c, i);
}

// General registers only: no check of the SSE bits.
void crc32_byte(Cpu& c, const Insn* i)
{
    crc32<u8>(c, i);
    return next(c, i);
}

void crc32_wide(Cpu& c, const Insn* i)
{
    if (i->rex_w())
        crc32<u64>(c, i);
    else if (i->operand_size == 2)
        crc32<u16>(c, i);
    else
        crc32<u32>(c, i);
    return next(c, i);
}

}
