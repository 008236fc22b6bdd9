#pragma once
// The handlers and operations behind sse_tables that are more than one host instruction.

#include "engine/cpu/x86/sse.h"

namespace engine::x86 {

// sse_move.cpp: handlers.
void load_vector(Cpu& c, const Insn* i);    // MOVUPS V,W and everything that moves a whole register unchanged
void store_vector(Cpu& c, const Insn* i);
void movss_load(Cpu& c, const Insn* i);
void movss_store(Cpu& c, const Insn* i);
void movsd_load(Cpu& c, const Insn* i);
void movsd_store(Cpu& c, const Insn* i);
void movlps_load(Cpu& c, const Insn* i);    // with registers MOVHLPS
void movlps_store(Cpu& c, const Insn* i);
void movhps_load(Cpu& c, const Insn* i);    // with registers MOVLHPS
void movhps_store(Cpu& c, const Insn* i);
void movq_load(Cpu& c, const Insn* i);
void movq_store(Cpu& c, const Insn* i);
void movd_to_xmm(Cpu& c, const Insn* i);
void movd_from_xmm(Cpu& c, const Insn* i);
void maskmovdqu(Cpu& c, const Insn* i);
void movmskps(Cpu& c, const Insn* i);
void movmskpd(Cpu& c, const Insn* i);
void pmovmskb(Cpu& c, const Insn* i);
void ptest(Cpu& c, const Insn* i);
void vtestps(Cpu& c, const Insn* i);
void vtestpd(Cpu& c, const Insn* i);
void pinsrb(Cpu& c, const Insn* i);
void pinsrw(Cpu& c, const Insn* i);
void pinsrd(Cpu& c, const Insn* i);
void pextrb(Cpu& c, const Insn* i);
void pextrw(Cpu& c, const Insn* i);    // 0F3A 15: to register or memory
void pextrw_register(Cpu& c, const Insn* i);    // 0F C5
void pextrd(Cpu& c, const Insn* i);
void extractps(Cpu& c, const Insn* i);
void insertps(Cpu& c, const Insn* i);
void ldmxcsr(Cpu& c, const Insn* i);
void stmxcsr(Cpu& c, const Insn* i);

// sse_mmx.cpp: handlers with an MMX operand.
void emms(Cpu& c, const Insn* i);
void movd_to_mmx(Cpu& c, const Insn* i);
void movd_from_mmx(Cpu& c, const Insn* i);
void movq_mmx_load(Cpu& c, const Insn* i);
void movq_mmx_store(Cpu& c, const Insn* i);
void movq2dq(Cpu& c, const Insn* i);
void movdq2q(Cpu& c, const Insn* i);
void maskmovq(Cpu& c, const Insn* i);
void pmovmskb_mmx(Cpu& c, const Insn* i);
void pinsrw_mmx(Cpu& c, const Insn* i);
void pextrw_mmx(Cpu& c, const Insn* i);
void cvtpi2ps(Cpu& c, const Insn* i);
void cvtpi2pd(Cpu& c, const Insn* i);
void cvtps2pi(Cpu& c, const Insn* i);
void cvttps2pi(Cpu& c, const Insn* i);
void cvtpd2pi(Cpu& c, const Insn* i);
void cvttpd2pi(Cpu& c, const Insn* i);

// sse_shuffle.cpp: operations with an immediate or with XMM0.
Lanes pshufd(Lanes a, Lanes b, u8 order);
Lanes pshuflw(Lanes a, Lanes b, u8 order);    // on MMX registers PSHUFW
Lanes pshufhw(Lanes a, Lanes b, u8 order);
Lanes shufps(Lanes a, Lanes b, u8 order);
Lanes shufpd(Lanes a, Lanes b, u8 order);
Lanes blendps(Lanes a, Lanes b, u8 choice);
Lanes blendpd(Lanes a, Lanes b, u8 choice);
Lanes pblendw(Lanes a, Lanes b, u8 choice);
Lanes palignr(Lanes a, Lanes b, u8 bytes);
Lanes pslldq(Lanes a, Lanes bytes);
Lanes psrldq(Lanes a, Lanes bytes);
Lanes palignr_mmx(Lanes a, Lanes b, u8 bytes);
Lanes pshufb_mmx(Lanes a, Lanes b);
Lanes mpsadbw(Lanes a, Lanes b, u8 offsets);
void dpps(Cpu& c, const Insn* i);
void dppd(Cpu& c, const Insn* i);
void pblendvb(Cpu& c, const Insn* i);
void blendvps(Cpu& c, const Insn* i);
void blendvpd(Cpu& c, const Insn* i);
void vpblendvb(Cpu& c, const Insn* i);
void vblendvps(Cpu& c, const Insn* i);
void vblendvpd(Cpu& c, const Insn* i);

// sse_string.cpp: PCMPxSTRx and CRC32.
void pcmpestrm(Cpu& c, const Insn* i);
void pcmpestri(Cpu& c, const Insn* i);
void pcmpistrm(Cpu& c, const Insn* i);
void pcmpistri(Cpu& c, const Insn* i);
void crc32_byte(Cpu& c, const Insn* i);
void crc32_wide(Cpu& c, const Insn* i);

// sse_sha.cpp.
Lanes sha1rnds4(Lanes first, Lanes second, u8 phase);
Lanes sha1nexte(Lanes first, Lanes second);
Lanes sha1msg1(Lanes first, Lanes second);
Lanes sha1msg2(Lanes first, Lanes second);
Lanes sha256msg1(Lanes first, Lanes second);
Lanes sha256msg2(Lanes first, Lanes second);
void sha256rnds2(Cpu& cpu, const Insn* i);

// sse_crypto.cpp: AES (FIPS 197) and PCLMULQDQ, the same on every host.
Lanes aesenc(Lanes a, Lanes b);
Lanes aesenclast(Lanes a, Lanes b);
Lanes aesdec(Lanes a, Lanes b);
Lanes aesdeclast(Lanes a, Lanes b);
Lanes aesimc(Lanes a, Lanes b);
Lanes aeskeygenassist(Lanes a, Lanes b, u8 round_constant);
Lanes pclmulqdq(Lanes a, Lanes b, u8 halves);

}
