#pragma once
// The host's VEX.128 instructions that have no SSE form, one function each as in sse_operations.h. They leave the upper
// halves of the host's registers zero, so that no legacy SSE instruction after them pays for a transition.

#include "engine/cpu/x86/sse_operations.h"

namespace engine::x86::host {

// clang-format off

// Comparisons with all 32 predicates.
template <unsigned k>
Lanes vcmpps_constant(Lanes a, Lanes b) { Lanes r; asm volatile("vcmpps %3, %2, %1, %0" : "=x"(r) : "x"(a), "x"(b), "i"(k)); return r; }
inline Lanes vcmpps(Lanes a, Lanes b, u8 predicate)
{
    with_constant<32>(predicate & 31, [&](auto k) { a = vcmpps_constant<k>(a, b); });
    return a;
}
template <unsigned k>
Lanes vcmppd_constant(Lanes a, Lanes b) { Lanes r; asm volatile("vcmppd %3, %2, %1, %0" : "=x"(r) : "x"(a), "x"(b), "i"(k)); return r; }
inline Lanes vcmppd(Lanes a, Lanes b, u8 predicate)
{
    with_constant<32>(predicate & 31, [&](auto k) { a = vcmppd_constant<k>(a, b); });
    return a;
}
template <unsigned k>
Lanes vcmpss_constant(Lanes a, Lanes b) { Lanes r; asm volatile("vcmpss %3, %2, %1, %0" : "=x"(r) : "x"(a), "x"(b), "i"(k)); return r; }
inline Lanes vcmpss(Lanes a, Lanes b, u8 predicate)
{
    with_constant<32>(predicate & 31, [&](auto k) { a = vcmpss_constant<k>(a, b); });
    return a;
}
template <unsigned k>
Lanes vcmpsd_constant(Lanes a, Lanes b) { Lanes r; asm volatile("vcmpsd %3, %2, %1, %0" : "=x"(r) : "x"(a), "x"(b), "i"(k)); return r; }
inline Lanes vcmpsd(Lanes a, Lanes b, u8 predicate)
{
    with_constant<32>(predicate & 31, [&](auto k) { a = vcmpsd_constant<k>(a, b); });
    return a;
}

// F16C. Bits 1:0 of the immediate round, unless bit 2 says that MXCSR does.
inline Lanes vcvtph2ps(Lanes, Lanes b) { Lanes r; asm volatile("vcvtph2ps %1, %0" : "=x"(r) : "x"(b)); return r; }
template <unsigned k>
Lanes vcvtps2ph_constant(Lanes a) { Lanes r; asm volatile("vcvtps2ph %2, %1, %0" : "=x"(r) : "x"(a), "i"(k)); return r; }
inline Lanes vcvtps2ph(Lanes a, u8 rounding)
{
    with_constant<8>(rounding & 7, [&](auto k) { a = vcvtps2ph_constant<k>(a); });
    return a;
}

// FMA: a is destination and first operand.
inline Lanes vfmaddsub132ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfmaddsub132ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmaddsub132pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmaddsub132pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsubadd132ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsubadd132ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsubadd132pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsubadd132pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmadd132ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfmadd132ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmadd132pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmadd132pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmadd132ss(Lanes a, Lanes b, Lanes d) { asm volatile("vfmadd132ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmadd132sd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmadd132sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsub132ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsub132ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsub132pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsub132pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsub132ss(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsub132ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsub132sd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsub132sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmadd132ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmadd132ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmadd132pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmadd132pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmadd132ss(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmadd132ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmadd132sd(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmadd132sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmsub132ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmsub132ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmsub132pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmsub132pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmsub132ss(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmsub132ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmsub132sd(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmsub132sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmaddsub213ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfmaddsub213ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmaddsub213pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmaddsub213pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsubadd213ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsubadd213ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsubadd213pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsubadd213pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmadd213ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfmadd213ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmadd213pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmadd213pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmadd213ss(Lanes a, Lanes b, Lanes d) { asm volatile("vfmadd213ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmadd213sd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmadd213sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsub213ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsub213ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsub213pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsub213pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsub213ss(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsub213ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsub213sd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsub213sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmadd213ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmadd213ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmadd213pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmadd213pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmadd213ss(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmadd213ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmadd213sd(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmadd213sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmsub213ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmsub213ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmsub213pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmsub213pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmsub213ss(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmsub213ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmsub213sd(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmsub213sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmaddsub231ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfmaddsub231ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmaddsub231pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmaddsub231pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsubadd231ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsubadd231ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsubadd231pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsubadd231pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmadd231ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfmadd231ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmadd231pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmadd231pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmadd231ss(Lanes a, Lanes b, Lanes d) { asm volatile("vfmadd231ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmadd231sd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmadd231sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsub231ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsub231ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsub231pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsub231pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsub231ss(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsub231ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfmsub231sd(Lanes a, Lanes b, Lanes d) { asm volatile("vfmsub231sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmadd231ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmadd231ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmadd231pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmadd231pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmadd231ss(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmadd231ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmadd231sd(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmadd231sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmsub231ps(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmsub231ps %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmsub231pd(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmsub231pd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmsub231ss(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmsub231ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }
inline Lanes vfnmsub231sd(Lanes a, Lanes b, Lanes d) { asm volatile("vfnmsub231sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(d)); return a; }

// clang-format on

}
