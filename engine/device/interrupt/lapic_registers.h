#pragma once
// The local APIC's registers, by their number: offset / 16 on the xAPIC page, MSR - 800h in x2APIC mode.
// Intel SDM vol. 3, tables 11-1 and 11-6.

#include <array>

#include "engine/base/types.h"

namespace engine::lapic_registers {

enum Register : unsigned {
    reg_id = 0x02,
    reg_version = 0x03,
    reg_tpr = 0x08,
    reg_apr = 0x09,
    reg_ppr = 0x0a,
    reg_eoi = 0x0b,
    reg_rrd = 0x0c,
    reg_ldr = 0x0d,
    reg_dfr = 0x0e,
    reg_svr = 0x0f,
    reg_isr = 0x10,
    reg_tmr = 0x18,
    reg_irr = 0x20,
    reg_esr = 0x28,
    reg_icr = 0x30,
    reg_icr_high = 0x31,
    reg_lvt = 0x32,
    reg_initial_count = 0x38,
    reg_current_count = 0x39,
    reg_divide = 0x3e,
    reg_self_ipi = 0x3f
};

// Six local vectors, integrated APIC.
constexpr u32 version = 0x50014;

// IA32_APIC_BASE
constexpr u32 msr_base = 0x1b, msr_tsc_deadline = 0x6e0, msr_x2apic_first = 0x800, msr_x2apic_last = 0x8ff;
constexpr u64 base_bootstrap = 0x100, base_x2apic = 0x400, base_enable = 0x800, reset_base = 0xfee00000 | base_enable;

// Spurious interrupt vector
constexpr u32 svr_enable = 0x100, svr_writable = 0x3ff;

// Local vector table
constexpr u32 lvt_status = 1 << 12, lvt_remote_irr = 1 << 14, lvt_level = 1 << 15, lvt_masked = 1 << 16;
constexpr std::array<u32, 6> lvt_writable{0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff};

// Interrupt command
constexpr u32 icr_logical = 1 << 11, icr_assert = 1 << 14, icr_level_triggered = 1 << 15, icr_writable = 0xccfff;

// Error status
constexpr u32 error_sent_vector = 0x20, error_received_vector = 0x40, error_register = 0x80;

constexpr u32 divide_writable = 0x0b;

// Timer limits in nanoseconds.
constexpr u64 shortest_period = 20'000, longest_wait = u64(1) << 60;

// SDM 11.12.10.2
constexpr u32 x2apic_logical_id(u32 id)
{
    return (id & ~u32(15)) << 12 | u32(1) << (id & 15);
}

}
