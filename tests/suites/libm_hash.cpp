// Hashes what a function of the C library's mathematics or of its vectors, or an instruction of the x87, makes of many
// arguments: each result's bits and the exceptions raised. The name that the program is called by says which.
//
//     libm_hash          lists the names, one a line
//     NAME               prints a hash for each set of variants that glibc chooses from, and each rounding mode
//
// -DARGUMENTS= is how many arguments each hash stands for.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using ComplexF = _Complex float;
using Complex = _Complex double;
using ComplexL = _Complex long double;
using F4 = float __attribute__((vector_size(16)));
using F8 = float __attribute__((vector_size(32)));
using D2 = double __attribute__((vector_size(16)));
using D4 = double __attribute__((vector_size(32)));

std::uint64_t seed, hash;
std::uint16_t x87_control;

std::uint64_t random_bits()
{
    std::uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

template <class T> constexpr std::size_t element_bytes = sizeof(T);
template <> constexpr std::size_t element_bytes<long double> = 10;

void add(std::uint64_t bits)
{
    hash = (hash ^ bits) * 0x9fb21c651e98df25;
    hash ^= hash >> 32;
}

template <class T> void add_element(const unsigned char* at)
{
    for (std::size_t n = 0; n < element_bytes<T>; n += 8) {
        std::uint64_t bits = 0;
        std::memcpy(&bits, at + n, element_bytes<T> - n < 8 ? element_bytes<T> - n : 8);
        add(bits);
    }
}

template <class T> struct Element {
    using type = T;
};
template <> struct Element<ComplexF> {
    using type = float;
};
template <> struct Element<Complex> {
    using type = double;
};
template <> struct Element<ComplexL> {
    using type = long double;
};
template <> struct Element<F4> {
    using type = float;
};
template <> struct Element<F8> {
    using type = float;
};
template <> struct Element<D2> {
    using type = double;
};
template <> struct Element<D4> {
    using type = double;
};

template <class T> void add_value(const T& value)
{
    using E = typename Element<T>::type;
    unsigned char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    for (std::size_t n = 0; n < sizeof value; n += sizeof(E))
        add_element<E>(bytes + n);
}

// Every pattern that the format has, values of everyday size, small multiples of fractions, neighbours of powers of two, large
// ones, and what is special. FRACTION bits, with the integer bit where the format keeps it.
struct Parts {
    std::uint64_t negative, exponent, fraction;
};

Parts random_parts(int exponent_bits, int fraction_bits)
{
    const std::uint64_t how = random_bits(), more = how >> 32 & 0xffff, mask = ~std::uint64_t{0} >> (64 - fraction_bits);
    const std::uint64_t most = (1u << exponent_bits) - 1, one = most / 2;
    Parts made{how & 1, random_bits() & most, random_bits() & mask};
    switch (how >> 1 & 7) {
    case 0:
    case 1:
        break;
    case 2:
        made.exponent = one - 4 + more % 8;
        break;
    case 3:
        made.exponent = one - 30 + more % 60;
        break;
    case 4:
        made.exponent = one - 1 + more % 12;
        made.fraction &= mask << (fraction_bits - 5);
        break;
    case 5:
        made.exponent = one - 8 + more % 16;
        made.fraction = how >> 48 & 1 ? mask - (how >> 49 & 3) : how >> 49 & 3;
        break;
    case 6:
        made.exponent = how >> 48 & 1 ? 0 : most;
        if (how >> 49 & 1)
            made.fraction = 0;
        break;
    default:
        made.exponent = one + 10 + more % 20;
        break;
    }
    return made;
}

template <class T> T argument()
{
    T value{};
    if constexpr (std::is_same_v<T, int>) {
        value = random_bits() % 64 ? static_cast<int>(random_bits() % 41) - 20 : static_cast<int>(random_bits() % 4400) - 2200;
    } else if constexpr (std::is_same_v<T, float>) {
        const Parts made = random_parts(8, 23);
        const auto bits = static_cast<std::uint32_t>(made.negative << 31 | made.exponent << 23 | made.fraction);
        std::memcpy(&value, &bits, 4);
    } else if constexpr (std::is_same_v<T, double>) {
        const Parts made = random_parts(11, 52);
        const std::uint64_t bits = made.negative << 63 | made.exponent << 52 | made.fraction;
        std::memcpy(&value, &bits, 8);
    } else if constexpr (std::is_same_v<T, long double>) {
        Parts made = random_parts(15, 64);
        // One in sixteen keeps an integer bit that no arithmetic makes.
        if (random_bits() % 16)
            made.fraction = made.fraction << 1 >> 1 | (made.exponent ? std::uint64_t{1} << 63 : 0);
        const auto head = static_cast<std::uint16_t>(made.negative << 15 | made.exponent);
        std::memcpy(&value, &made.fraction, 8);
        std::memcpy(reinterpret_cast<char*>(&value) + 8, &head, 2);
    } else {
        using E = typename Element<T>::type;
        for (std::size_t n = 0; n < sizeof value; n += sizeof(E)) {
            const E element = argument<E>();
            std::memcpy(reinterpret_cast<char*>(&value) + n, &element, sizeof element);
        }
    }
    return value;
}

// What a parameter is called with: a pointer's target is a result.
template <class P> struct Parameter {
    P value = argument<P>();
    P passed() { return value; }
    void results() const { }
};
template <class T> struct Parameter<T*> {
    T value{};
    T* passed() { return &value; }
    void results() const { add_value(value); }
};

template <class Result, class... P> [[gnu::noinline]] void hash_calls(Result (*called)(P...))
{
    for (int n = 0; n < ARGUMENTS; ++n) {
        std::tuple<Parameter<P>...> parameters;
        const std::uint32_t no_exceptions = 0x1f80u | (x87_control & 0xc00u) << 3;
        std::uint32_t mxcsr;
        std::uint16_t status;
        __asm__ volatile("fninit\n fldcw %0\n ldmxcsr %1" : : "m"(x87_control), "m"(no_exceptions) : "memory");
        if constexpr (std::is_void_v<Result>) {
            std::apply([&](auto&... each) { called(each.passed()...); }, parameters);
            __asm__ volatile("stmxcsr %0\n fnstsw %1" : "=m"(mxcsr), "=m"(status) : : "memory");
        } else {
            const Result result = std::apply([&](auto&... each) { return called(each.passed()...); }, parameters);
            __asm__ volatile("stmxcsr %0\n fnstsw %1" : "=m"(mxcsr), "=m"(status) : : "memory");
            add_value(result);
        }
        add(mxcsr | std::uint64_t{status} << 32);
        std::apply([](const auto&... each) { (each.results(), ...); }, parameters);
    }
}

// Runs an instruction with the three precisions in turn.
std::uint16_t narrowed_control()
{
    static const std::uint16_t precisions[] = {0x000, 0x200, 0x300};
    return static_cast<std::uint16_t>((x87_control & ~0x300u) | precisions[random_bits() % 3]);
}

#define X87_UNARY(name, code)                                                                                                    \
    long double x87_##name(long double x)                                                                                        \
    {                                                                                                                            \
        const std::uint16_t control = narrowed_control();                                                                        \
        __asm__ volatile("fldcw %1\n " code : "+t"(x) : "m"(control));                                                           \
        return x;                                                                                                                \
    }
#define X87_BINARY(name, code)                                                                                                   \
    long double x87_##name(long double x, long double y)                                                                         \
    {                                                                                                                            \
        const std::uint16_t control = narrowed_control();                                                                        \
        __asm__ volatile("fldcw %2\n " code : "+t"(x) : "u"(y), "m"(control) : "st(1)");                                         \
        return x;                                                                                                                \
    }
#define X87_KEEPING(name, code)                                                                                                  \
    void x87_##name(long double x, long double y, long double* first, long double* second)                                       \
    {                                                                                                                            \
        const std::uint16_t control = narrowed_control();                                                                        \
        __asm__ volatile("fldcw %2\n " code : "+t"(x), "+u"(y) : "m"(control));                                                  \
        *first = x;                                                                                                              \
        *second = y;                                                                                                             \
    }
#define X87_TWO(name, code)                                                                                                      \
    void x87_##name(long double x, long double* first, long double* second)                                                      \
    {                                                                                                                            \
        const std::uint16_t control = narrowed_control();                                                                        \
        long double other;                                                                                                       \
        __asm__ volatile("fldcw %2\n " code : "+t"(x), "=u"(other) : "m"(control));                                              \
        *first = x;                                                                                                              \
        *second = other;                                                                                                         \
    }
#define X87_STORE(name, type, code)                                                                                              \
    void x87_##name(long double x, type* stored)                                                                                 \
    {                                                                                                                            \
        __asm__ volatile(code " %0" : "=m"(*stored) : "t"(x) : "st", "memory");                                                  \
    }
#define X87_LOAD(name, type, code)                                                                                               \
    long double x87_##name(type x)                                                                                               \
    {                                                                                                                            \
        long double loaded;                                                                                                      \
        __asm__ volatile(code " %1" : "=t"(loaded) : "m"(x));                                                                    \
        return loaded;                                                                                                           \
    }

X87_UNARY(fsin, "fsin")
X87_UNARY(fcos, "fcos")
X87_UNARY(f2xm1, "f2xm1")
X87_UNARY(fsqrt, "fsqrt")
X87_UNARY(frndint, "frndint")
X87_UNARY(fxam, "fxam")
X87_UNARY(ftst, "ftst")
X87_BINARY(fpatan, "fpatan")
X87_BINARY(fyl2x, "fyl2x")
X87_BINARY(fyl2xp1, "fyl2xp1")
X87_KEEPING(fprem, "fprem")
X87_KEEPING(fprem1, "fprem1")
X87_KEEPING(fscale, "fscale")
X87_KEEPING(fadd, "fadd %%st(1), %%st")
X87_KEEPING(fsub, "fsub %%st(1), %%st")
X87_KEEPING(fmul, "fmul %%st(1), %%st")
X87_KEEPING(fdiv, "fdiv %%st(1), %%st")
X87_KEEPING(fdivr, "fdivr %%st, %%st(1)")
X87_KEEPING(fcom, "fcom %%st(1)")
X87_KEEPING(fucom, "fucom %%st(1)")
X87_TWO(fptan, "fptan")
X87_TWO(fsincos, "fsincos")
X87_TWO(fxtract, "fxtract")
X87_STORE(fist16, short, "fistps")
X87_STORE(fist32, int, "fistpl")
X87_STORE(fist64, long long, "fistpq")
X87_STORE(fisttp16, short, "fisttps")
X87_STORE(fisttp32, int, "fisttpl")
X87_STORE(fisttp64, long long, "fisttpq")
X87_STORE(fst32, float, "fstps")
X87_STORE(fst64, double, "fstpl")
X87_STORE(fbstp, long double, "fbstp")
X87_LOAD(fld32, float, "flds")
X87_LOAD(fld64, double, "fldl")
X87_LOAD(fild16, int, "filds")
X87_LOAD(fild32, int, "fildl")
X87_LOAD(fild64, double, "fildq")
X87_LOAD(fbld, long double, "fbld")

// Names and types of families of functions.
#define REAL(id) ONE(float, id##f, float) ONE(double, id, double) ONE(long double, id##l, long double)
#define REAL2(id)                                                                                                                \
    ONE(float, id##f, float, float) ONE(double, id, double, double) ONE(long double, id##l, long double, long double)
#define TO(result, id) ONE(result, id##f, float) ONE(result, id, double) ONE(result, id##l, long double)
#define AND_INT(id) ONE(float, id##f, float, int*) ONE(double, id, double, int*) ONE(long double, id##l, long double, int*)
#define WITH_INT(id) ONE(float, id##f, float, int) ONE(double, id, double, int) ONE(long double, id##l, long double, int)
#define OF_ORDER(id) ONE(float, id##f, int, float) ONE(double, id, int, double) ONE(long double, id##l, int, long double)
#define COMPLEX(id) ONE(ComplexF, id##f, ComplexF) ONE(Complex, id, Complex) ONE(ComplexL, id##l, ComplexL)
#define COMPLEX_TO_REAL(id) ONE(float, id##f, ComplexF) ONE(double, id, Complex) ONE(long double, id##l, ComplexL)
#define FLOATS(id) ONE(F4, _ZGVbN4v_##id##f, F4) ONE(F8, _ZGVcN8v_##id##f, F8) ONE(F8, _ZGVdN8v_##id##f, F8)
#define FLOATS2(id) ONE(F4, _ZGVbN4vv_##id##f, F4, F4) ONE(F8, _ZGVcN8vv_##id##f, F8, F8) ONE(F8, _ZGVdN8vv_##id##f, F8, F8)
#define DOUBLES(id) ONE(D2, _ZGVbN2v_##id, D2) ONE(D4, _ZGVcN4v_##id, D4) ONE(D4, _ZGVdN4v_##id, D4)
#define DOUBLES2(id) ONE(D2, _ZGVbN2vv_##id, D2, D2) ONE(D4, _ZGVcN4vv_##id, D4, D4) ONE(D4, _ZGVdN4vv_##id, D4, D4)
#define VECTOR(id) FLOATS(id) DOUBLES(id)
#define VECTOR2(id) FLOATS2(id) DOUBLES2(id)

#define ONE(result, name, ...) extern "C" result called_##name(__VA_ARGS__) __asm__(#name);
#define X87(name)
#include "libm_functions.inc"
#undef ONE
#undef X87

struct Function {
    std::string_view name;
    void (*hash)();
};
constexpr Function functions[] = {
#define ONE(result, name, ...) {#name, [] { hash_calls(called_##name); }},
#define X87(name) {"x87_" #name, [] { hash_calls(x87_##name); }},
#include "libm_functions.inc"
};

struct Variants {
    const char *name, *tunables;
};
constexpr Variants variants[]
    = {{"fma", "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512DQ,-FMA4"},
       {"avx", "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512DQ,-FMA4,-FMA,-AVX2"},
       {"sse2", "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512DQ,-FMA4,-FMA,-AVX2,-AVX,-SSE4_1"}};

void hash_in_each_mode(const Function& function, const char* which)
{
    static const char* const modes[] = {"nearest", "down", "up", "zero"};
    for (unsigned mode = 0; mode < 4; ++mode) {
        seed = hash = mode;
        x87_control = static_cast<std::uint16_t>(0x37f | mode << 10);
        function.hash();
        __asm__ volatile("fninit");
        std::printf("%s %s %016llx\n", which, modes[mode], static_cast<unsigned long long>(hash));
    }
}

}    // namespace

int main(int argc, char** argv)
{
    const std::string_view path = argv[0];
    const std::string_view name = path.substr(path.rfind('/') + 1);
    const Function* chosen = nullptr;
    for (const Function& function : functions)
        if (function.name == name)
            chosen = &function;
    if (!chosen) {
        for (const Function& function : functions)
            std::printf("%s\n", function.name.data());
        return 0;
    }
    if (argc == 2) {
        hash_in_each_mode(*chosen, argv[1]);
        return 0;
    }
    // glibc chooses when a program begins.
    for (const Variants& each : variants) {
        const pid_t child = fork();
        if (child == 0) {
            setenv("GLIBC_TUNABLES", each.tunables, 1);
            execl("/proc/self/exe", argv[0], each.name, static_cast<char*>(nullptr));
            _exit(2);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            return 2;
    }
    return 0;
}
