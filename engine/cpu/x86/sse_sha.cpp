// SHA-1 and SHA-256 rounds and message schedules, FIPS 180-4. SDM vol. 2, under each name; element 3 is bits 127:96.
#include "engine/cpu/x86/sse_handlers.h"

namespace engine::x86 {

namespace {

using Words = Elements<u32>;

u32 choose(u32 x, u32 y, u32 z)
{
    return (x & y) ^ (~x & z);
}
u32 majority(u32 x, u32 y, u32 z)
{
    return (x & y) ^ (x & z) ^ (y & z);
}
u32 parity(u32 x, u32 y, u32 z)
{
    return x ^ y ^ z;
}

// FIPS 180-4, 4.1.2.
u32 upper_sigma_0(u32 x)
{
    return std::rotr(x, 2) ^ std::rotr(x, 13) ^ std::rotr(x, 22);
}
u32 upper_sigma_1(u32 x)
{
    return std::rotr(x, 6) ^ std::rotr(x, 11) ^ std::rotr(x, 25);
}
u32 lower_sigma_0(u32 x)
{
    return std::rotr(x, 7) ^ std::rotr(x, 18) ^ x >> 3;
}
u32 lower_sigma_1(u32 x)
{
    return std::rotr(x, 17) ^ std::rotr(x, 19) ^ x >> 10;
}

struct Phase {
    u32 (*function)(u32, u32, u32);
    u32 constant;
};
constexpr Phase phases[4] = {{choose, 0x5a827999}, {parity, 0x6ed9eba1}, {majority, 0x8f1bbcdc}, {parity, 0xca62c1d6}};

}

// Four rounds. E is part of the first message word already.
Lanes sha1rnds4(Lanes first, Lanes second, u8 phase)
{
    const auto [function, constant] = phases[phase & 3];
    const Words state = elements<u32>(first), message = elements<u32>(second);
    u32 a = state[3], b = state[2], c = state[1], d = state[0], e = 0;
    for (int n = 3; n >= 0; --n) {
        const u32 fresh = function(b, c, d) + std::rotl(a, 5) + message[unsigned(n)] + e + constant;
        e = d;
        d = c;
        c = std::rotl(b, 30);
        b = a;
        a = fresh;
    }
    return lanes<u32>({d, c, b, a});
}

Lanes sha1nexte(Lanes first, Lanes second)
{
    Words result = elements<u32>(second);
    result[3] += std::rotl(elements<u32>(first)[3], 30);
    return lanes<u32>(result);
}

Lanes sha1msg1(Lanes first, Lanes second)
{
    const Words a = elements<u32>(first), b = elements<u32>(second);
    return lanes<u32>({a[0] ^ b[2], a[1] ^ b[3], a[2] ^ a[0], a[3] ^ a[1]});
}

Lanes sha1msg2(Lanes first, Lanes second)
{
    const Words a = elements<u32>(first), b = elements<u32>(second);
    const u32 w16 = std::rotl(a[3] ^ b[2], 1);
    return lanes<u32>({std::rotl(a[0] ^ w16, 1), std::rotl(a[1] ^ b[0], 1), std::rotl(a[2] ^ b[1], 1), w16});
}

// Two rounds; XMM0 has the sums of message and constants.
void sha256rnds2(Cpu& cpu, const Insn* i)
{
    check_sse(cpu, i);
    const Words second = elements<u32>(source<Xmm>(cpu, i)), first = elements<u32>(lanes(cpu.fpu.xmm[i->reg]));
    const Words sums = std::bit_cast<Words>(cpu.fpu.xmm[0]);
    u32 a = second[3], b = second[2], c = first[3], d = first[2], e = second[1], f = second[0], g = first[1], h = first[0];
    for (unsigned n = 0; n < 2; ++n) {
        const u32 t = choose(e, f, g) + upper_sigma_1(e) + sums[n] + h;
        h = g;
        g = f;
        f = e;
        e = t + d;
        d = c;
        const u32 fresh = t + majority(a, b, c) + upper_sigma_0(a);
        c = b;
        b = a;
        a = fresh;
    }
    set_vector(cpu, i, i->reg, lanes<u32>({f, e, b, a}));
    return next(cpu, i);
}

Lanes sha256msg1(Lanes first, Lanes second)
{
    const Words a = elements<u32>(first), b = elements<u32>(second);
    return lanes<u32>(
        {a[0] + lower_sigma_0(a[1]), a[1] + lower_sigma_0(a[2]), a[2] + lower_sigma_0(a[3]), a[3] + lower_sigma_0(b[0])});
}

Lanes sha256msg2(Lanes first, Lanes second)
{
    const Words a = elements<u32>(first), b = elements<u32>(second);
    const u32 w16 = a[0] + lower_sigma_1(b[2]), w17 = a[1] + lower_sigma_1(b[3]);
    return lanes<u32>({w16, w17, a[2] + lower_sigma_1(w16), a[3] + lower_sigma_1(w17)});
}

}
