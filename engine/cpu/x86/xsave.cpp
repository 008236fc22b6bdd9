// XSAVE and its kin. Not modelled: the modified optimisation of XSAVEOPT and XSAVES, which may write what has not changed;
// supervisor components, of which CPUID shows none, so that XSAVES is XSAVEC for the privileged.
#include "engine/cpu/x86/xsave.h"

#include <algorithm>
#include <cstring>

#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/fpu.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/protection_keys.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/sse.h"

namespace engine::x86 {

namespace {

// The image, SDM vol. 1, 13.4: the legacy region, the header, the other components.
constexpr unsigned header_at = xsave_legacy_size, compaction_at = header_at + 8, header_end = header_at + xsave_header_size;
constexpr unsigned x87_head_size = fx_mxcsr_offset, mxcsr_size = 8, x87_registers_at = 32;
constexpr u64 compacted = u64(1) << 63;
constexpr u32 mxcsr_initial = 0x1f80;

bool any_set(const auto& registers)
{
    using Register = std::remove_cvref_t<decltype(registers[0])>;
    return std::ranges::any_of(registers, [](const Register& r) { return r != Register{}; });
}

void copy_x87(FpuState& to, const FpuState& from)
{
    to.control = from.control;
    to.status = from.status;
    to.valid = from.valid;
    to.opcode = from.opcode;
    to.instruction_pointer = from.instruction_pointer;
    to.data_pointer = from.data_pointer;
    to.instruction_selector = from.instruction_selector;
    to.data_selector = from.data_selector;
    to.registers = from.registers;
}

// After FNINIT, and with empty registers.
const FpuState initial;

bool x87_in_use(const FpuState& f)
{
    return f.control != initial.control || f.status || f.valid || f.opcode || f.instruction_pointer || f.data_pointer
        || f.instruction_selector || f.data_selector || any_set(f.registers);
}

// XMM8-15 with what is above them, and ZMM16-31, are not touched outside 64-bit mode.
unsigned register_count(const Cpu& c)
{
    return c.code_64() ? 16 : 8;
}
unsigned register_bytes(const Cpu& c)
{
    return register_count(c) * sizeof(Xmm);
}

struct Image {
    u64 offset;
    u64 wanted;    // RFBM
};

Image image(Cpu& c, const Insn* i)
{
    if (!(c.cr4 & cr4_osxsave))
        c.raise(i, invalid_opcode);
    if (c.cr0 & cr0_ts)
        c.raise(i, device_not_available);
    const u64 offset = effective_address(c, i);
    if ((c.base[i->segment] + offset) & 63)
        c.raise(i, general_protection, 0);
    return {offset, c.xcr0 & (u64(u32(c.gpr[rdx])) << 32 | u32(c.gpr[rax]))};
}

unsigned place_of(const XsaveComponent& of, u64 compaction)
{
    return compaction & compacted ? compacted_at(of, compaction) : of.at;
}

// Writes the components `saved`, and MXCSR where `with_mxcsr`. `compaction` is as the header tells it.
void write_components(Cpu& c, const Insn* i, u64 offset, u64 saved, bool with_mxcsr, u64 compaction)
{
    u8 legacy[fx_image_size];
    write_fx_x87(c.fpu, i->rex_w(), legacy);
    if (saved & xcr0_x87) {
        store_bytes(c, i, offset, legacy, x87_head_size);
        store_bytes(c, i, offset + x87_registers_at, legacy + x87_registers_at, fx_xmm_offset - x87_registers_at);
    }
    if (with_mxcsr)
        store<u64>(c, i, offset + fx_mxcsr_offset, c.fpu.mxcsr | u64(mxcsr_mask) << 32);
    if (saved & xcr0_sse)
        store_bytes(c, i, offset + fx_xmm_offset, c.fpu.xmm.data(), register_bytes(c));
    const auto write = [&](const XsaveComponent& which, const void* from, std::size_t size) {
        if (saved & which.component)
            store_bytes(c, i, offset + place_of(which, compaction), from, unsigned(size));
    };
    write(xsave_avx, c.fpu.ymm_high.data(), register_bytes(c));
    write(xsave_opmask, c.fpu.opmask.data(), sizeof c.fpu.opmask);
    write(xsave_zmm_high, c.fpu.zmm_high.data(), register_count(c) * sizeof(ZmmHigh));
    write(xsave_zmm, c.fpu.zmm.data(), c.code_64() ? sizeof c.fpu.zmm : 0);
    if (saved & xcr0_pkru)
        store<u64>(c, i, offset + place_of(xsave_pkru, compaction), c.msr.pkru);
}

// All that may be written can be, before the first byte is.
void probe_image(Cpu& c, const Insn* i, u64 offset, u64 wanted, u64 compaction)
{
    const unsigned size = compaction & compacted ? compacted_size(wanted) : xsave_size(wanted);
    probe_write(c, i, linear_address<Access::write>(c, i, i->segment, offset, size), size);
}

enum class Init : u8 { write, skip };

void save(Cpu& c, const Insn* i, Init unused)
{
    const auto [offset, wanted] = image(c, i);
    probe_image(c, i, offset, wanted, 0);
    const u64 in_use = components_in_use(c);
    const u64 others = load<u64>(c, i, offset + header_at) & ~wanted;
    write_components(c, i, offset, unused == Init::skip ? wanted & in_use : wanted, wanted & (xcr0_sse | xcr0_avx), 0);
    store<u64>(c, i, offset + header_at, others | (wanted & in_use));
}

template <class Register>
void load_registers(std::array<Register, 16>& to, bool from_memory, std::span<const u64> image, unsigned count)
{
    if (from_memory)
        std::memcpy(&to[0].q[0], image.data(), count * sizeof(Register));
    else
        std::fill_n(to.begin(), count, Register{});
}

// What an image holds of the components behind its header. All of it is read before any of it counts.
struct Vectors {
    std::array<u64, 32> xmm, ymm_high;
    std::array<u64, 64> zmm_high;
    std::array<u64, 128> zmm;
    std::array<u64, 8> opmask;
};

void read_vectors(Cpu& c, const Insn* i, u64 offset, u64 wanted, u64 compaction, Vectors& to)
{
    const auto read = [&](const XsaveComponent& which, void* into, std::size_t size) {
        if (wanted & which.component && size)
            load_bytes(c, i, offset + place_of(which, compaction), into, unsigned(size));
    };
    read(xsave_avx, to.ymm_high.data(), register_bytes(c));
    read(xsave_opmask, to.opmask.data(), sizeof to.opmask);
    read(xsave_zmm_high, to.zmm_high.data(), register_count(c) * sizeof(ZmmHigh));
    read(xsave_zmm, to.zmm.data(), c.code_64() ? sizeof to.zmm : 0);
}

void take_vectors(Cpu& c, u64 wanted, u64 present, const Vectors& from)
{
    FpuState& f = c.fpu;
    const unsigned count = register_count(c);
    if (wanted & xcr0_sse)
        load_registers(f.xmm, present & xcr0_sse, from.xmm, count);
    if (wanted & xcr0_opmask)
        f.opmask = present & xcr0_opmask ? from.opmask : std::array<u64, 8>{};
    if (wanted & xcr0_zmm)
        load_registers(f.zmm, present & xcr0_zmm, from.zmm, c.code_64() ? count : 0);
    if (wanted & xcr0_zmm_high) {
        load_registers(f.zmm_high, present & xcr0_zmm_high, from.zmm_high, count);
        c.slots.zmm_used |= (present & xcr0_zmm_high) != 0;
    }
    if (wanted & xcr0_avx) {
        load_registers(f.ymm_high, present & xcr0_avx, from.ymm_high, count);
        c.slots.uppers_used = present & xcr0_avx || !c.code_64();
    }
    c.slots.uppers_used |= c.slots.zmm_used;
}

// SDM vol. 1, 13.8 and 13.8.2: what makes the header of no use.
bool bad_header(const Cpu& c, u64 present, u64 compaction, std::span<const u8> reserved)
{
    if (std::ranges::any_of(reserved, [](u8 byte) { return byte != 0; }))
        return true;
    if (compaction & compacted)
        return (compaction & ~(c.xcr0 | compacted)) || (present & ~(compaction & c.xcr0));
    return compaction || (present & ~c.xcr0);
}

enum class Format : u8 { either, compact };

void restore(Cpu& c, const Insn* i, Format format)
{
    const auto [offset, wanted] = image(c, i);
    u8 bytes[header_end];
    load_bytes(c, i, offset, bytes, header_end);
    const u64 present = load_le<u64>(bytes + header_at), compaction = load_le<u64>(bytes + compaction_at);
    const bool compact = compaction & compacted;
    // The standard form looks at fewer reserved bytes.
    const unsigned reserved_at = compaction_at + 8, reserved = compact ? header_end - reserved_at : 8;
    const bool wrong_format = format == Format::compact && !compact;
    if (wrong_format || bad_header(c, present, compaction, {bytes + reserved_at, reserved}))
        c.raise(i, general_protection, 0);
    Vectors vectors;
    std::memcpy(vectors.xmm.data(), bytes + fx_xmm_offset, sizeof vectors.xmm);
    read_vectors(c, i, offset, wanted & present, compaction, vectors);
    const u32 pkru = wanted & present & xcr0_pkru ? u32(load<u64>(c, i, offset + place_of(xsave_pkru, compaction))) : 0;
    const u64 with_mxcsr = compact ? wanted & present & xcr0_sse : wanted & (xcr0_sse | xcr0_avx);
    const u32 mxcsr = load_le<u32>(bytes + fx_mxcsr_offset);
    if (with_mxcsr && mxcsr & ~mxcsr_mask)
        c.raise(i, general_protection, 0);

    FpuState& f = c.fpu;
    if (with_mxcsr)
        f.mxcsr = mxcsr;
    else if (wanted & xcr0_sse)
        f.mxcsr = mxcsr_initial;
    if (wanted & ~present & xcr0_x87)
        copy_x87(f, initial);
    if (wanted & present & xcr0_x87)
        read_fx_x87(f, i->rex_w(), bytes);
    if (wanted & xcr0_x87)
        update_x87_summary(c);
    take_vectors(c, wanted, present, vectors);
    if (wanted & xcr0_pkru)
        write_pkru(c, pkru);
}

// MXCSR goes with SSE, which counts as in use when MXCSR is not as at the start.
void save_compacted(Cpu& c, const Insn* i)
{
    const auto [offset, wanted] = image(c, i);
    const u64 compaction = wanted | compacted;
    probe_image(c, i, offset, wanted, compaction);
    const u64 in_use = components_in_use(c) | (c.fpu.mxcsr != mxcsr_initial ? xcr0_sse : 0);
    const u64 saved = wanted & in_use;
    write_components(c, i, offset, saved, saved & xcr0_sse, compaction);
    store<u64>(c, i, offset + header_at, saved);
    store<u64>(c, i, offset + compaction_at, compaction);
}

void require_supervisor(Cpu& c, const Insn* i)
{
    if (!(c.model->features & feature_xsaves) || !(c.cr4 & cr4_osxsave))
        c.raise(i, invalid_opcode);
    if (c.cpl != 0)
        c.raise(i, general_protection, 0);
}

}

u64 components_in_use(const Cpu& c)
{
    const FpuState& f = c.fpu;
    u64 in_use = (x87_in_use(f) ? xcr0_x87 : 0) | (any_set(f.xmm) ? xcr0_sse : 0) | (any_set(f.ymm_high) ? xcr0_avx : 0)
        | (c.msr.pkru ? xcr0_pkru : 0);
    if (c.xcr0 & xcr0_avx512)
        in_use |= (any_set(f.opmask) ? xcr0_opmask : 0) | (any_set(f.zmm_high) ? xcr0_zmm_high : 0)
            | (any_set(f.zmm) ? xcr0_zmm : 0);
    return c.xcr0 & in_use;
}

bool write_xcr0(Cpu& c, u64 value)
{
    const bool avx_alone = value & xcr0_avx && !(value & xcr0_sse);
    // Those of AVX-512 come together, and with AVX.
    const u64 avx512_part = value & xcr0_avx512;
    const bool avx512_apart = avx512_part && (avx512_part != xcr0_avx512 || !(value & xcr0_avx));
    if (!(value & xcr0_x87) || value & ~supported_components(*c.model) || avx_alone || avx512_apart)
        return false;
    c.xcr0 = value;
    return true;
}

void xsave(Cpu& c, const Insn* i)
{
    save(c, i, Init::write);
    return next(c, i);
}

void xsaveopt(Cpu& c, const Insn* i)
{
    save(c, i, Init::skip);
    return next(c, i);
}

void xsavec(Cpu& c, const Insn* i)
{
    save_compacted(c, i);
    return next(c, i);
}

void xsaves(Cpu& c, const Insn* i)
{
    require_supervisor(c, i);
    save_compacted(c, i);
    return next(c, i);
}

void xrstor(Cpu& c, const Insn* i)
{
    restore(c, i, Format::either);
    update_mode(c);
    return leave_block(c, i);
}

void xrstors(Cpu& c, const Insn* i)
{
    require_supervisor(c, i);
    restore(c, i, Format::compact);
    update_mode(c);
    return leave_block(c, i);
}

void xgetbv(Cpu& c, const Insn* i)
{
    if (!(c.cr4 & cr4_osxsave))
        c.raise(i, invalid_opcode);
    const u32 index = u32(c.gpr[rcx]);
    if (index > 1)
        c.raise(i, general_protection, 0);
    u64 value = c.xcr0;
    if (index == 1)
        value &= components_in_use(c) | (c.fpu.mxcsr != mxcsr_initial ? xcr0_sse : 0);
    c.gpr[rax] = u32(value);
    c.gpr[rdx] = value >> 32;
    return next(c, i);
}

void xsetbv(Cpu& c, const Insn* i)
{
    if (!(c.cr4 & cr4_osxsave))
        c.raise(i, invalid_opcode);
    const bool ok = u32(c.gpr[rcx]) == 0 && write_xcr0(c, u64(u32(c.gpr[rdx])) << 32 | u32(c.gpr[rax]));
    if (!ok)
        c.raise(i, general_protection, 0);
    return leave_block(c, i);
}

}
