// System management mode with the AMD64 save map (revision 20064h), which SeaBIOS and OVMF know.
// Not modelled: I/O trapping.

#include "engine/cpu/x86/smm.h"

#include <cstring>
#include <utility>

#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/segments.h"

namespace engine::x86 {

namespace {

constexpr u64 save_area = 0xfe00, save_size = 0x200;
constexpr u32 revision = 0x00030064;    // with relocation (bit 17) and I/O restart (bit 16)

// Offsets in the save area, AMD64 vol. 2, table 10-1.
constexpr unsigned at_es = 0x00, segment_step = 0x10, at_gdtr = 0x60, at_ldtr = 0x70, at_idtr = 0x80, at_tr = 0x90,
                   at_efer = 0xd0, at_revision = 0xfc, at_smbase = 0x100, at_cr4 = 0x148, at_cr3 = 0x150, at_cr0 = 0x158,
                   at_dr7 = 0x160, at_dr6 = 0x168, at_rflags = 0x170, at_rip = 0x178, at_r15 = 0x180, at_io_rip = 0xa0,
                   at_io_rcx = 0xa8, at_io_rsi = 0xb0, at_io_rdi = 0xb8, at_io_what = 0xc0, at_io_restart = 0xc8, at_halt = 0xc9,
                   at_nmi_mask = 0xca;
constexpr u8 restart_io = 0xff;

class SaveArea {
public:
    template <class T> void put(unsigned at, T value) { std::memcpy(bytes_.data() + at, &value, sizeof value); }
    template <class T> T get(unsigned at) const
    {
        T value;
        std::memcpy(&value, bytes_.data() + at, sizeof value);
        return value;
    }
    void put_segment(unsigned at, const Segment& s)
    {
        put<u16>(at, s.selector);
        put<u16>(at + 2, u16((s.attributes & 0xff) | (s.attributes & 0xf000) >> 4));
        put<u32>(at + 4, s.limit);
        put<u64>(at + 8, s.base);
    }
    Segment get_segment(unsigned at) const
    {
        const u16 attributes = get<u16>(at + 2);
        return {
            .selector = get<u16>(at),
            .attributes = u16((attributes & 0xff) | (attributes & 0xf00) << 4),
            .limit = get<u32>(at + 4),
            .base = get<u64>(at + 8)};
    }

private:
    std::array<u8, save_size> bytes_{};
};

constexpr std::array save_order{es, cs, ss, ds, fs, gs};

// The save area lies where the processor in SMM sees memory.
void transfer(Cpu& c, u64 at, SaveArea& area, Access access)
{
    for (u64 n = 0; n < save_size; n += 8) {
        if (access == Access::write)
            c.memory->write(at + n, area.get<u64>(unsigned(n)), 8, Viewer::smm);
        else
            area.put<u64>(unsigned(n), c.memory->read(at + n, 8, Viewer::smm));
    }
}

}

void take_view(Cpu& c)
{
    c.view = c.memory->view(viewer(c));
    flush_tlb(c);
}

namespace {
// An SMI right behind a port instruction tells which it was.
void save_port_access(const Cpu& c, SaveArea& area)
{
    const Cpu::PortAccess& io = c.port_access;
    if (!io.what || (c.gpr[gpr_rip] != io.next_rip && c.gpr[gpr_rip] != io.rip))
        return;
    area.put<u64>(at_io_rip, io.rip);
    area.put<u64>(at_io_rcx, io.rcx);
    area.put<u64>(at_io_rsi, io.rsi);
    area.put<u64>(at_io_rdi, io.rdi);
    area.put<u32>(at_io_what, io.what);
}
}

void enter_smm(Cpu& c)
{
    SaveArea area;
    save_port_access(c, area);
    for (unsigned n = 0; n < save_order.size(); ++n)
        area.put_segment(at_es + n * segment_step, c.seg[save_order[n]]);
    area.put_segment(at_gdtr, {.selector = 0, .attributes = 0, .limit = c.gdtr.limit, .base = c.gdtr.base});
    area.put_segment(at_ldtr, c.ldtr);
    area.put_segment(at_idtr, {.selector = 0, .attributes = 0, .limit = c.idtr.limit, .base = c.idtr.base});
    area.put_segment(at_tr, c.tr);
    area.put<u64>(at_efer, c.efer);
    area.put<u32>(at_revision, revision);
    area.put<u32>(at_smbase, c.msr.smbase);
    area.put<u64>(at_cr4, c.cr4);
    area.put<u64>(at_cr3, c.cr3);
    area.put<u64>(at_cr0, c.cr0);
    area.put<u64>(at_dr7, c.dr7);
    area.put<u64>(at_dr6, c.dr6);
    area.put<u64>(at_rflags, c.rflags());
    area.put<u64>(at_rip, c.gpr[gpr_rip]);
    area.put<u8>(at_halt, c.halted);
    area.put<u8>(at_nmi_mask, c.nmi_blocked);
    for (unsigned n = 0; n < 16; ++n)
        area.put<u64>(at_r15 + 8 * n, c.gpr[15 - n]);

    c.in_smm = true;
    take_view(c);
    transfer(c, u64(c.msr.smbase) + save_area, area, Access::write);
    constexpr u16 data = 0x8093;
    for (Segment& s : c.seg)
        s = {.selector = 0, .attributes = data, .limit = 0xffffffff, .base = 0};
    c.seg[cs].selector = u16(c.msr.smbase >> 4);
    c.seg[cs].base = c.msr.smbase;
    c.cr0 &= ~(cr0_pe | cr0_em | cr0_ts | cr0_pg);
    c.cr4 = 0;
    c.efer = 0;
    c.dr7 = 0x400;
    c.halted = false;
    flush_tlb(c);
    c.set_rflags(2);
    set_cpl(c, 0);
    c.gpr[gpr_rip] = 0x8000;
}

void leave_smm(Cpu& c)
{
    SaveArea area;
    transfer(c, u64(c.msr.smbase) + save_area, area, Access::read);
    for (unsigned n = 0; n < save_order.size(); ++n)
        c.seg[save_order[n]] = area.get_segment(at_es + n * segment_step);
    const Segment gdtr = area.get_segment(at_gdtr), idtr = area.get_segment(at_idtr);
    c.gdtr = {.base = gdtr.base, .limit = u16(gdtr.limit)};
    c.idtr = {.base = idtr.base, .limit = u16(idtr.limit)};
    c.ldtr = area.get_segment(at_ldtr);
    c.tr = area.get_segment(at_tr);
    c.cr0 = area.get<u64>(at_cr0) & 0xe005003f;
    c.cr3 = area.get<u64>(at_cr3);
    c.cr4 = area.get<u64>(at_cr4);
    c.efer = area.get<u64>(at_efer) & (efer_sce | efer_lme | efer_lma | efer_nxe);
    c.dr6 = area.get<u64>(at_dr6);
    c.dr7 = area.get<u64>(at_dr7);
    for (unsigned n = 0; n < 16; ++n)
        c.gpr[15 - n] = area.get<u64>(at_r15 + 8 * n);
    c.msr.smbase = area.get<u32>(at_smbase);
    c.in_smm = false;
    c.nmi_blocked = area.get<u8>(at_nmi_mask) & 1;
    if (!c.nmi_blocked && std::exchange(c.nmi_latched, false))
        c.ask_nmi();
    if (std::exchange(c.smi_latched, false))
        c.request.add(request_smi);
    take_view(c);
    c.halted = area.get<u8>(at_halt) & 1;
    set_cpl(c, c.cr0 & cr0_pe ? dpl_of(c.seg[ss].attributes) : 0);
    set_flags(c, area.get<u64>(at_rflags));
    c.gpr[gpr_rip] = area.get<u64>(at_rip);
    if (area.get<u8>(at_io_restart) != restart_io)
        return;
    c.gpr[rcx] = area.get<u64>(at_io_rcx);
    c.gpr[rsi] = area.get<u64>(at_io_rsi);
    c.gpr[rdi] = area.get<u64>(at_io_rdi);
    c.gpr[gpr_rip] = area.get<u64>(at_io_rip);
}

}
