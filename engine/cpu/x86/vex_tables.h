#pragma once
// The VEX rows of the opcode maps: AVX, AVX2, FMA, F16C, BMI. SDM vol. 2, appendix A.3. Their Forms go by VEX.L and VEX.W.

#include <span>

#include "engine/cpu/x86/insn.h"

namespace engine::x86 {

std::span<const Opcode> vex_opcodes_0f();
std::span<const Opcode> vex_opcodes_0f38();
std::span<const Opcode> vex_opcodes_0f3a();

namespace vex {

constexpr Forms forms(Handler l0_w0, Handler l1_w0, Handler l0_w1, Handler l1_w1)
{
    Forms all{};
    all.by[0] = {l0_w0, l1_w0, l0_w1, l1_w1};
    return all;
}

// Named after what must be clear; "by": another handler for the other value.
template <Handler h> inline constexpr Forms any = forms(h, h, h, h);
template <Handler h> inline constexpr Forms l0 = forms(h, nullptr, h, nullptr);
template <Handler h> inline constexpr Forms w0 = forms(h, h, nullptr, nullptr);
template <Handler h> inline constexpr Forms l0_w0 = forms(h, nullptr, nullptr, nullptr);
template <Handler h> inline constexpr Forms l1 = forms(nullptr, h, nullptr, h);
template <Handler h> inline constexpr Forms l1_w0 = forms(nullptr, h, nullptr, nullptr);
template <Handler h> inline constexpr Forms l1_w1 = forms(nullptr, nullptr, nullptr, h);
template <Handler l0, Handler l1> inline constexpr Forms by_l = forms(l0, l1, l0, l1);
template <Handler w0, Handler w1> inline constexpr Forms by_w = forms(w0, w0, w1, w1);
template <Handler w0, Handler w1> inline constexpr Forms l0_by_w = forms(w0, nullptr, w1, nullptr);

}

}
