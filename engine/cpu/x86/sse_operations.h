#pragma once
// One function for one SSE instruction of the host, named after it: a = a op b. Written as asm rather than intrinsics so
// that no compiler swaps operands (the first of two NaNs wins), folds constants or moves arithmetic across a change of
// MXCSR (volatile), and so that instructions newer than SSE2 need no compiler switches.

#include "engine/cpu/x86/sse.h"

namespace engine::x86::host {

// clang-format off

// Integer arithmetic, SSE2.
inline Lanes paddb(Lanes a, Lanes b) { asm("paddb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes paddw(Lanes a, Lanes b) { asm("paddw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes paddd(Lanes a, Lanes b) { asm("paddd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes paddq(Lanes a, Lanes b) { asm("paddq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes paddsb(Lanes a, Lanes b) { asm("paddsb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes paddsw(Lanes a, Lanes b) { asm("paddsw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes paddusb(Lanes a, Lanes b) { asm("paddusb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes paddusw(Lanes a, Lanes b) { asm("paddusw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psubb(Lanes a, Lanes b) { asm("psubb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psubw(Lanes a, Lanes b) { asm("psubw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psubd(Lanes a, Lanes b) { asm("psubd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psubq(Lanes a, Lanes b) { asm("psubq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psubsb(Lanes a, Lanes b) { asm("psubsb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psubsw(Lanes a, Lanes b) { asm("psubsw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psubusb(Lanes a, Lanes b) { asm("psubusb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psubusw(Lanes a, Lanes b) { asm("psubusw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmullw(Lanes a, Lanes b) { asm("pmullw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmulhw(Lanes a, Lanes b) { asm("pmulhw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmulhuw(Lanes a, Lanes b) { asm("pmulhuw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmuludq(Lanes a, Lanes b) { asm("pmuludq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmaddwd(Lanes a, Lanes b) { asm("pmaddwd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pavgb(Lanes a, Lanes b) { asm("pavgb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pavgw(Lanes a, Lanes b) { asm("pavgw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psadbw(Lanes a, Lanes b) { asm("psadbw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pminub(Lanes a, Lanes b) { asm("pminub %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pminsw(Lanes a, Lanes b) { asm("pminsw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmaxub(Lanes a, Lanes b) { asm("pmaxub %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmaxsw(Lanes a, Lanes b) { asm("pmaxsw %1, %0" : "+x"(a) : "x"(b)); return a; }

// Comparison, logic, shifts by register.
inline Lanes pcmpeqb(Lanes a, Lanes b) { asm("pcmpeqb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pcmpeqw(Lanes a, Lanes b) { asm("pcmpeqw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pcmpeqd(Lanes a, Lanes b) { asm("pcmpeqd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pcmpgtb(Lanes a, Lanes b) { asm("pcmpgtb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pcmpgtw(Lanes a, Lanes b) { asm("pcmpgtw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pcmpgtd(Lanes a, Lanes b) { asm("pcmpgtd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pand(Lanes a, Lanes b) { asm("pand %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pandn(Lanes a, Lanes b) { asm("pandn %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes por(Lanes a, Lanes b) { asm("por %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pxor(Lanes a, Lanes b) { asm("pxor %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psllw(Lanes a, Lanes b) { asm("psllw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pslld(Lanes a, Lanes b) { asm("pslld %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psllq(Lanes a, Lanes b) { asm("psllq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psrlw(Lanes a, Lanes b) { asm("psrlw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psrld(Lanes a, Lanes b) { asm("psrld %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psrlq(Lanes a, Lanes b) { asm("psrlq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psraw(Lanes a, Lanes b) { asm("psraw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psrad(Lanes a, Lanes b) { asm("psrad %1, %0" : "+x"(a) : "x"(b)); return a; }

// Packing and unpacking.
inline Lanes packsswb(Lanes a, Lanes b) { asm("packsswb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes packssdw(Lanes a, Lanes b) { asm("packssdw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes packuswb(Lanes a, Lanes b) { asm("packuswb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes punpcklbw(Lanes a, Lanes b) { asm("punpcklbw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes punpcklwd(Lanes a, Lanes b) { asm("punpcklwd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes punpckldq(Lanes a, Lanes b) { asm("punpckldq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes punpcklqdq(Lanes a, Lanes b) { asm("punpcklqdq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes punpckhbw(Lanes a, Lanes b) { asm("punpckhbw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes punpckhwd(Lanes a, Lanes b) { asm("punpckhwd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes punpckhdq(Lanes a, Lanes b) { asm("punpckhdq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes punpckhqdq(Lanes a, Lanes b) { asm("punpckhqdq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes unpcklps(Lanes a, Lanes b) { asm("unpcklps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes unpcklpd(Lanes a, Lanes b) { asm("unpcklpd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes unpckhps(Lanes a, Lanes b) { asm("unpckhps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes unpckhpd(Lanes a, Lanes b) { asm("unpckhpd %1, %0" : "+x"(a) : "x"(b)); return a; }

// SSSE3.
inline Lanes pshufb(Lanes a, Lanes b) { asm("pshufb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes phaddw(Lanes a, Lanes b) { asm("phaddw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes phaddd(Lanes a, Lanes b) { asm("phaddd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes phaddsw(Lanes a, Lanes b) { asm("phaddsw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes phsubw(Lanes a, Lanes b) { asm("phsubw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes phsubd(Lanes a, Lanes b) { asm("phsubd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes phsubsw(Lanes a, Lanes b) { asm("phsubsw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmaddubsw(Lanes a, Lanes b) { asm("pmaddubsw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmulhrsw(Lanes a, Lanes b) { asm("pmulhrsw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psignb(Lanes a, Lanes b) { asm("psignb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psignw(Lanes a, Lanes b) { asm("psignw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes psignd(Lanes a, Lanes b) { asm("psignd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pabsb(Lanes a, Lanes b) { asm("pabsb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pabsw(Lanes a, Lanes b) { asm("pabsw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pabsd(Lanes a, Lanes b) { asm("pabsd %1, %0" : "+x"(a) : "x"(b)); return a; }

// SSE4.1, SSE4.2.
inline Lanes pmuldq(Lanes a, Lanes b) { asm("pmuldq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pcmpeqq(Lanes a, Lanes b) { asm("pcmpeqq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pcmpgtq(Lanes a, Lanes b) { asm("pcmpgtq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes packusdw(Lanes a, Lanes b) { asm("packusdw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pminsb(Lanes a, Lanes b) { asm("pminsb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pminsd(Lanes a, Lanes b) { asm("pminsd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pminuw(Lanes a, Lanes b) { asm("pminuw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pminud(Lanes a, Lanes b) { asm("pminud %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmaxsb(Lanes a, Lanes b) { asm("pmaxsb %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmaxsd(Lanes a, Lanes b) { asm("pmaxsd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmaxuw(Lanes a, Lanes b) { asm("pmaxuw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmaxud(Lanes a, Lanes b) { asm("pmaxud %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmulld(Lanes a, Lanes b) { asm("pmulld %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes phminposuw(Lanes a, Lanes b) { asm("phminposuw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmovsxbw(Lanes a, Lanes b) { asm("pmovsxbw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmovsxbd(Lanes a, Lanes b) { asm("pmovsxbd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmovsxbq(Lanes a, Lanes b) { asm("pmovsxbq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmovsxwd(Lanes a, Lanes b) { asm("pmovsxwd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmovsxwq(Lanes a, Lanes b) { asm("pmovsxwq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmovsxdq(Lanes a, Lanes b) { asm("pmovsxdq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmovzxbw(Lanes a, Lanes b) { asm("pmovzxbw %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmovzxbd(Lanes a, Lanes b) { asm("pmovzxbd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmovzxbq(Lanes a, Lanes b) { asm("pmovzxbq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmovzxwd(Lanes a, Lanes b) { asm("pmovzxwd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmovzxwq(Lanes a, Lanes b) { asm("pmovzxwq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes pmovzxdq(Lanes a, Lanes b) { asm("pmovzxdq %1, %0" : "+x"(a) : "x"(b)); return a; }

// Moves that duplicate.
inline Lanes movddup(Lanes a, Lanes b) { asm("movddup %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes movsldup(Lanes a, Lanes b) { asm("movsldup %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes movshdup(Lanes a, Lanes b) { asm("movshdup %1, %0" : "+x"(a) : "x"(b)); return a; }

// Floating point.
inline Lanes addps(Lanes a, Lanes b) { asm volatile("addps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes addpd(Lanes a, Lanes b) { asm volatile("addpd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes addss(Lanes a, Lanes b) { asm volatile("addss %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes addsd(Lanes a, Lanes b) { asm volatile("addsd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes mulps(Lanes a, Lanes b) { asm volatile("mulps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes mulpd(Lanes a, Lanes b) { asm volatile("mulpd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes mulss(Lanes a, Lanes b) { asm volatile("mulss %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes mulsd(Lanes a, Lanes b) { asm volatile("mulsd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes subps(Lanes a, Lanes b) { asm volatile("subps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes subpd(Lanes a, Lanes b) { asm volatile("subpd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes subss(Lanes a, Lanes b) { asm volatile("subss %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes subsd(Lanes a, Lanes b) { asm volatile("subsd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes minps(Lanes a, Lanes b) { asm volatile("minps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes minpd(Lanes a, Lanes b) { asm volatile("minpd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes minss(Lanes a, Lanes b) { asm volatile("minss %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes minsd(Lanes a, Lanes b) { asm volatile("minsd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes divps(Lanes a, Lanes b) { asm volatile("divps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes divpd(Lanes a, Lanes b) { asm volatile("divpd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes divss(Lanes a, Lanes b) { asm volatile("divss %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes divsd(Lanes a, Lanes b) { asm volatile("divsd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes maxps(Lanes a, Lanes b) { asm volatile("maxps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes maxpd(Lanes a, Lanes b) { asm volatile("maxpd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes maxss(Lanes a, Lanes b) { asm volatile("maxss %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes maxsd(Lanes a, Lanes b) { asm volatile("maxsd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes sqrtps(Lanes a, Lanes b) { asm volatile("sqrtps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes sqrtpd(Lanes a, Lanes b) { asm volatile("sqrtpd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes sqrtss(Lanes a, Lanes b) { asm volatile("sqrtss %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes sqrtsd(Lanes a, Lanes b) { asm volatile("sqrtsd %1, %0" : "+x"(a) : "x"(b)); return a; }

// Approximations raise nothing.
inline Lanes rcpps(Lanes a, Lanes b) { asm volatile("rcpps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes rcpss(Lanes a, Lanes b) { asm volatile("rcpss %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes rsqrtps(Lanes a, Lanes b) { asm volatile("rsqrtps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes rsqrtss(Lanes a, Lanes b) { asm volatile("rsqrtss %1, %0" : "+x"(a) : "x"(b)); return a; }

// SSE3.
inline Lanes addsubps(Lanes a, Lanes b) { asm volatile("addsubps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes addsubpd(Lanes a, Lanes b) { asm volatile("addsubpd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes haddps(Lanes a, Lanes b) { asm volatile("haddps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes haddpd(Lanes a, Lanes b) { asm volatile("haddpd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes hsubps(Lanes a, Lanes b) { asm volatile("hsubps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes hsubpd(Lanes a, Lanes b) { asm volatile("hsubpd %1, %0" : "+x"(a) : "x"(b)); return a; }

// Conversions.
inline Lanes cvtps2pd(Lanes a, Lanes b) { asm volatile("cvtps2pd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes cvtpd2ps(Lanes a, Lanes b) { asm volatile("cvtpd2ps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes cvtss2sd(Lanes a, Lanes b) { asm volatile("cvtss2sd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes cvtsd2ss(Lanes a, Lanes b) { asm volatile("cvtsd2ss %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes cvtdq2ps(Lanes a, Lanes b) { asm volatile("cvtdq2ps %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes cvtdq2pd(Lanes a, Lanes b) { asm volatile("cvtdq2pd %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes cvtps2dq(Lanes a, Lanes b) { asm volatile("cvtps2dq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes cvttps2dq(Lanes a, Lanes b) { asm volatile("cvttps2dq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes cvtpd2dq(Lanes a, Lanes b) { asm volatile("cvtpd2dq %1, %0" : "+x"(a) : "x"(b)); return a; }
inline Lanes cvttpd2dq(Lanes a, Lanes b) { asm volatile("cvttpd2dq %1, %0" : "+x"(a) : "x"(b)); return a; }

inline Lanes cvtsi2ss_32(Lanes a, u32 b) { asm volatile("cvtsi2ssl %1, %0" : "+x"(a) : "r"(b)); return a; }
inline Lanes cvtsi2ss_64(Lanes a, u64 b) { asm volatile("cvtsi2ssq %1, %0" : "+x"(a) : "r"(b)); return a; }
inline Lanes cvtsi2sd_32(Lanes a, u32 b) { asm volatile("cvtsi2sdl %1, %0" : "+x"(a) : "r"(b)); return a; }
inline Lanes cvtsi2sd_64(Lanes a, u64 b) { asm volatile("cvtsi2sdq %1, %0" : "+x"(a) : "r"(b)); return a; }
inline u32 cvtss2si_32(Lanes b) { u32 r; asm volatile("cvtss2si %1, %0" : "=r"(r) : "x"(b)); return r; }
inline u64 cvtss2si_64(Lanes b) { u64 r; asm volatile("cvtss2si %1, %0" : "=r"(r) : "x"(b)); return r; }
inline u32 cvttss2si_32(Lanes b) { u32 r; asm volatile("cvttss2si %1, %0" : "=r"(r) : "x"(b)); return r; }
inline u64 cvttss2si_64(Lanes b) { u64 r; asm volatile("cvttss2si %1, %0" : "=r"(r) : "x"(b)); return r; }
inline u32 cvtsd2si_32(Lanes b) { u32 r; asm volatile("cvtsd2si %1, %0" : "=r"(r) : "x"(b)); return r; }
inline u64 cvtsd2si_64(Lanes b) { u64 r; asm volatile("cvtsd2si %1, %0" : "=r"(r) : "x"(b)); return r; }
inline u32 cvttsd2si_32(Lanes b) { u32 r; asm volatile("cvttsd2si %1, %0" : "=r"(r) : "x"(b)); return r; }
inline u64 cvttsd2si_64(Lanes b) { u64 r; asm volatile("cvttsd2si %1, %0" : "=r"(r) : "x"(b)); return r; }

// Comparisons into RFLAGS.
inline u64 compare_flags(bool z, bool p, bool carry) { return (z ? flag_z : 0) | (p ? flag_p : 0) | (carry ? flag_c : 0); }
inline u64 comiss(Lanes a, Lanes b)
{
    bool z, p, carry;
    asm volatile("comiss %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(carry) : "x"(a), "x"(b));
    return compare_flags(z, p, carry);
}
inline u64 comisd(Lanes a, Lanes b)
{
    bool z, p, carry;
    asm volatile("comisd %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(carry) : "x"(a), "x"(b));
    return compare_flags(z, p, carry);
}
inline u64 ucomiss(Lanes a, Lanes b)
{
    bool z, p, carry;
    asm volatile("ucomiss %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(carry) : "x"(a), "x"(b));
    return compare_flags(z, p, carry);
}
inline u64 ucomisd(Lanes a, Lanes b)
{
    bool z, p, carry;
    asm volatile("ucomisd %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(carry) : "x"(a), "x"(b));
    return compare_flags(z, p, carry);
}

// Calls f with `n` as a compile-time constant below `count`.
template <unsigned count, class F>
void with_constant(unsigned n, F f)
{
    [&]<unsigned... k>(std::integer_sequence<unsigned, k...>) {
        (void)((n == k ? (f(std::integral_constant<unsigned, k>()), true) : false) || ...);
    }(std::make_integer_sequence<unsigned, count>());
}

// CMPPS and its kin look at three bits of the predicate, ROUNDPS at four.
template <unsigned k>
Lanes cmpps_constant(Lanes a, Lanes b) { asm volatile("cmpps %2, %1, %0" : "+x"(a) : "x"(b), "i"(k)); return a; }
inline Lanes cmpps(Lanes a, Lanes b, u8 predicate)
{
    with_constant<8>(predicate & 7, [&](auto k) { a = cmpps_constant<k>(a, b); });
    return a;
}
template <unsigned k>
Lanes cmppd_constant(Lanes a, Lanes b) { asm volatile("cmppd %2, %1, %0" : "+x"(a) : "x"(b), "i"(k)); return a; }
inline Lanes cmppd(Lanes a, Lanes b, u8 predicate)
{
    with_constant<8>(predicate & 7, [&](auto k) { a = cmppd_constant<k>(a, b); });
    return a;
}
template <unsigned k>
Lanes cmpss_constant(Lanes a, Lanes b) { asm volatile("cmpss %2, %1, %0" : "+x"(a) : "x"(b), "i"(k)); return a; }
inline Lanes cmpss(Lanes a, Lanes b, u8 predicate)
{
    with_constant<8>(predicate & 7, [&](auto k) { a = cmpss_constant<k>(a, b); });
    return a;
}
template <unsigned k>
Lanes cmpsd_constant(Lanes a, Lanes b) { asm volatile("cmpsd %2, %1, %0" : "+x"(a) : "x"(b), "i"(k)); return a; }
inline Lanes cmpsd(Lanes a, Lanes b, u8 predicate)
{
    with_constant<8>(predicate & 7, [&](auto k) { a = cmpsd_constant<k>(a, b); });
    return a;
}
template <unsigned k>
Lanes roundps_constant(Lanes a, Lanes b) { asm volatile("roundps %2, %1, %0" : "+x"(a) : "x"(b), "i"(k)); return a; }
inline Lanes roundps(Lanes a, Lanes b, u8 mode)
{
    with_constant<16>(mode & 15, [&](auto k) { a = roundps_constant<k>(a, b); });
    return a;
}
template <unsigned k>
Lanes roundpd_constant(Lanes a, Lanes b) { asm volatile("roundpd %2, %1, %0" : "+x"(a) : "x"(b), "i"(k)); return a; }
inline Lanes roundpd(Lanes a, Lanes b, u8 mode)
{
    with_constant<16>(mode & 15, [&](auto k) { a = roundpd_constant<k>(a, b); });
    return a;
}
template <unsigned k>
Lanes roundss_constant(Lanes a, Lanes b) { asm volatile("roundss %2, %1, %0" : "+x"(a) : "x"(b), "i"(k)); return a; }
inline Lanes roundss(Lanes a, Lanes b, u8 mode)
{
    with_constant<16>(mode & 15, [&](auto k) { a = roundss_constant<k>(a, b); });
    return a;
}
template <unsigned k>
Lanes roundsd_constant(Lanes a, Lanes b) { asm volatile("roundsd %2, %1, %0" : "+x"(a) : "x"(b), "i"(k)); return a; }
inline Lanes roundsd(Lanes a, Lanes b, u8 mode)
{
    with_constant<16>(mode & 15, [&](auto k) { a = roundsd_constant<k>(a, b); });
    return a;
}

// clang-format on

}
