// AES rounds as in FIPS 197, with the S-boxes worked out at compile time, and the carry-less product.
// The state is column by column: byte 4c + r is row r of column c.
#include "engine/cpu/x86/sse_handlers.h"

namespace engine::x86 {

namespace {

using Block = Elements<u8>;
using Box = std::array<u8, 256>;

constexpr u8 times_x(u8 a)
{
    return u8(a << 1 ^ (a & 0x80 ? 0x1b : 0));
}

constexpr u8 multiply(u8 a, u8 b)
{
    u8 product = 0;
    for (; b; b = u8(b >> 1), a = times_x(a))
        if (b & 1)
            product = u8(product ^ a);
    return product;
}

consteval Box substitution_box()
{
    Box box{};
    u8 p = 1, q = 1;    // p runs through all non-zero elements, q is its inverse
    do {
        p = u8(p ^ times_x(p));
        q = u8(q ^ q << 1);
        q = u8(q ^ q << 2);
        q = u8(q ^ q << 4);
        if (q & 0x80)
            q = u8(q ^ 0x09);
        box[p] = u8(q ^ std::rotl(q, 1) ^ std::rotl(q, 2) ^ std::rotl(q, 3) ^ std::rotl(q, 4) ^ 0x63);
    } while (p != 1);
    box[0] = 0x63;
    return box;
}

consteval Box inverse_of(const Box& box)
{
    Box inverse{};
    for (unsigned n = 0; n < 256; ++n)
        inverse[box[n]] = u8(n);
    return inverse;
}

consteval Box multiples_of(u8 factor)
{
    Box products{};
    for (unsigned n = 0; n < 256; ++n)
        products[n] = multiply(u8(n), factor);
    return products;
}

constexpr Box s_box = substitution_box();
constexpr Box inverse_s_box = inverse_of(s_box);
static_assert(s_box[0x53] == 0xed && inverse_s_box[0xed] == 0x53, "FIPS 197, 5.1.1");

constexpr Box times_2 = multiples_of(2), times_3 = multiples_of(3), times_9 = multiples_of(9), times_11 = multiples_of(11),
              times_13 = multiples_of(13), times_14 = multiples_of(14);

// ShiftRows and SubBytes; row r moves by r columns, to the left when encrypting.
Block shift_and_substitute(Lanes state, const Box& box, unsigned direction)
{
    const Block from = elements<u8>(state);
    Block to;
    for (unsigned n = 0; n < 16; ++n)
        to[n] = box[from[(n + direction * 4 * (n & 3)) & 15]];
    return to;
}
constexpr unsigned encrypting = 1, decrypting = 3;

Block mix_columns(const Block& s)
{
    Block to;
    for (unsigned n = 0; n < 16; ++n) {
        const auto row = [&](unsigned k) { return s[(n & ~3u) | ((n + k) & 3)]; };
        to[n] = u8(times_2[row(0)] ^ times_3[row(1)] ^ row(2) ^ row(3));
    }
    return to;
}

Block inverse_mix_columns(const Block& s)
{
    Block to;
    for (unsigned n = 0; n < 16; ++n) {
        const auto row = [&](unsigned k) { return s[(n & ~3u) | ((n + k) & 3)]; };
        to[n] = u8(times_14[row(0)] ^ times_11[row(1)] ^ times_13[row(2)] ^ times_9[row(3)]);
    }
    return to;
}

u32 substitute_word(u32 word)
{
    u32 result = 0;
    for (unsigned n = 0; n < 32; n += 8)
        result |= u32(s_box[u8(word >> n)]) << n;
    return result;
}

}

Lanes aesenc(Lanes a, Lanes b)
{
    return lanes<u8>(mix_columns(shift_and_substitute(a, s_box, encrypting))) ^ b;
}
Lanes aesenclast(Lanes a, Lanes b)
{
    return lanes<u8>(shift_and_substitute(a, s_box, encrypting)) ^ b;
}
Lanes aesdec(Lanes a, Lanes b)
{
    return lanes<u8>(inverse_mix_columns(shift_and_substitute(a, inverse_s_box, decrypting))) ^ b;
}
Lanes aesdeclast(Lanes a, Lanes b)
{
    return lanes<u8>(shift_and_substitute(a, inverse_s_box, decrypting)) ^ b;
}
Lanes aesimc(Lanes, Lanes b)
{
    return lanes<u8>(inverse_mix_columns(elements<u8>(b)));
}

Lanes aeskeygenassist(Lanes, Lanes b, u8 round_constant)
{
    const auto words = elements<u32>(b);
    const u32 first = substitute_word(words[1]), third = substitute_word(words[3]);
    return lanes<u32>({first, std::rotr(first, 8) ^ round_constant, third, std::rotr(third, 8) ^ round_constant});
}

Lanes pclmulqdq(Lanes a, Lanes b, u8 halves)
{
    const u64 first = a[halves & 1], second = b[halves >> 4 & 1];
    Lanes product{};
    for (unsigned n = 0; n < 64; ++n) {
        const u64 taken = -(second >> n & 1);
        product[0] ^= first << n & taken;
        if (n)
            product[1] ^= first >> (64 - n) & taken;
    }
    return product;
}

}
