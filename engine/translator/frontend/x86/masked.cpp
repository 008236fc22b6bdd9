// Memory under a mask, and at vectors of addresses: natively where all that might be touched is plain memory, else it is the
// handler's business, which knows what is not touched.

#include <algorithm>

#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

void BlockTranslator::to_host_or_handler(const Insn& i, unsigned size, Access access)
{
    lookup(access, size);
    handlers_.push_back({a_.jump_if(cond_a), &i, nullptr, here_, x87_loaded_});
    a_.op(0x03, 8, scratch_a, Rm::at(scratch_b, table_of(access) + host_in_entry));
}

// Handlers called since `first` go on here.
void BlockTranslator::handled_from(std::size_t first)
{
    for (std::size_t n = first; n < handlers_.size(); ++n)
        handlers_[n].back = a_.at();
}

// VMASKMOVPS and its kin.
void BlockTranslator::emit_masked(const Insn& i)
{
    const bool stores = i.row->operands[0] == x86::Operand::M;
    const std::size_t first = handlers_.size();
    spoil_flags();
    address(i);
    add_segment_base(i);
    to_host_or_handler(i, i.wide() ? 32 : 16, stores ? Access::write : Access::read);
    a_.vex(u8(i.map), i.prefix, i.vex & Insn::vex_w, i.wide(), i.opcode, i.reg, i.vvvv, Rm::at(scratch_a));
    handled_from(first);
}

// MASKMOVQ and MASKMOVDQU: RDI is the host's address for a moment.
void BlockTranslator::emit_masked_at_rdi(const Insn& i)
{
    constexpr unsigned longest = 16;
    const bool mmx = i.row->traits & x86::mmx;
    const std::size_t first = handlers_.size();
    spoil_flags();
    release_held();
    a_.load(i.address_size, scratch_a, Rm::of(host::rdi));
    add_segment_base(i);
    to_host_or_handler(i, longest, Access::write);
    a_.op(0x87, 8, host::rdi, Rm::of(scratch_a));
    if (i.vex)
        a_.vex(u8(i.map), i.prefix, false, false, i.opcode, i.reg, 0, Rm::of(i.rm));
    else if (mmx)
        a_.op(0x0ff7, 4, i.reg & 7, Rm::of(i.rm & 7));
    else
        a_.op(0x0ff7, 4, i.reg, Rm::of(i.rm), 0x66);
    a_.op(0x87, 8, host::rdi, Rm::of(scratch_a));
    handled_from(first);
}

// An index of the gather, at this place of the slots, into scratch_a as an address.
void BlockTranslator::load_index(const Insn& i, std::size_t at)
{
    const bool quadwords = i.opcode & 1;
    a_.op(quadwords ? 0x8b : 0x63, 8, scratch_a, state_at(offset_indices + at));
    u8 base = Rm::none;
    if (i.base != x86::gpr_zero && host_[i.base] != none) {
        base = host_[i.base];
    } else if (i.base != x86::gpr_zero) {
        base = scratch_b;
        a_.load(8, base, gpr_slot(i.base));
    }
    a_.op(0x8d, i.address_size, scratch_a, Rm::at(base, scratch_a, i.scale, i.disp));
    add_segment_base(i);
}

// Element by element. If one is not to be had the handler does all of them: the registers are still as they were.
void BlockTranslator::emit_gather(const Insn& i)
{
    constexpr u8 map_0f = 1, move = 0x10, store = 0x11, move_quadword = 0x7e, exclusive_or = 0xef;
    const unsigned size = i.vex & Insn::vex_w ? 8 : 4, index_size = i.opcode & 1 ? 8 : 4;
    const unsigned count = (i.wide() ? 32 : 16) / std::max(size, index_size), bytes = count * size;
    const u8 index = i.src, mask = i.vvvv;
    const std::size_t first = handlers_.size();
    spoil_flags();
    release_held();
    const auto to_slot
        = [&](u8 number, std::size_t at) { a_.vex(map_0f, x86::np, false, i.wide(), store, number, 0, state_at(at)); };
    to_slot(index, offset_indices);
    to_slot(mask, offset_chosen);
    to_slot(i.reg, offset_gathered);
    for (unsigned n = 0; n < count; ++n) {
        a_.op_imm(0x80, 1, 7, state_at(offset_chosen + n * size + size - 1), 0, 1);
        u8* const passed_over = a_.jump_if(cond_ns);
        load_index(i, n * index_size);
        to_host_or_handler(i, size, Access::read);
        a_.load(size, scratch_a, Rm::at(scratch_a));
        a_.store(size, state_at(offset_gathered + n * size), scratch_a);
        a_.bind(passed_over);
    }
    const bool quadword = bytes == 8;
    a_.vex(
        map_0f, quadword ? x86::pF3 : x86::np, false, bytes == 32, quadword ? move_quadword : move, i.reg, 0,
        state_at(offset_gathered));
    a_.vex(map_0f, x86::p66, false, false, exclusive_or, mask, mask, Rm::of(mask));
    handled_from(first);
}

}
