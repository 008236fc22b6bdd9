#include "engine/cpu/x86/mmu.h"

#include <algorithm>
#include <cstring>

#include "engine/cpu/x86/block_cache.h"
#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/protection_keys.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/segments.h"
#include "engine/cpu/x86/smm.h"
#include "engine/cpu/x86/write_journal.h"
#include "engine/device/interrupt/lapic.h"

namespace engine::x86 {

namespace {

constexpr u32 error_present = 1, error_write = 2, error_user = 4, error_reserved = 8, error_fetch = 16, error_key = 32;

bool user_context(const Cpu& c)
{
    return c.soft_tlb.of_user(c.tlb);
}
bool user_pages_allowed(const Cpu& c)
{
    return c.tlb != &c.soft_tlb.context(TlbContextName::supervisor);
}

bool fail(Cpu& c, u64 linear, Access access, u32 cause)
{
    c.cr2 = linear;
    u32 error = cause;
    if (access == Access::write)
        error |= error_write;
    if (user_context(c))
        error |= error_user;
    const bool fetch_bit = (c.efer & efer_nxe && c.cr4 & cr4_pae) || c.cr4 & cr4_smep;
    if (access == Access::fetch && fetch_bit)
        error |= error_fetch;
    c.fault = {page_fault, true, error, Cpu::Fault::Kind::fault};
    return false;
}

// A table entry in the host's memory; entries outside memory read as not present.
struct TableEntry {
    u8* host = nullptr;
    MemoryBlock* memory = nullptr;
    u64 page = 0;    // within memory

    explicit operator bool() const { return host; }
};

TableEntry table_entry(Cpu& c, u64 physical)
{
    const FlatRange* range = find_range(c, masked_physical(c, physical));
    if (!range || !range->read)
        return {};
    const u64 offset = range->read_offset + (masked_physical(c, physical) - range->first);
    range->read->before_read(offset >> page_shift);
    return {range->read->data() + offset, range->read, offset >> page_shift};
}

constexpr u64 pte_present = 1, pte_writable = 2, pte_user = 4, pte_accessed = 32, pte_dirty = 64, pte_large = 128,
              pte_global = 256, pte_no_execute = u64(1) << 63;
constexpr u64 physical_bits_mask = (u64(1) << 40) - 1;

template <class Word> void set_entry_bits(const TableEntry& at, Word seen, Word wanted)
{
    if ((seen & wanted) == wanted)
        return;
    at.memory->before_write(at.page);
    __atomic_fetch_or(reinterpret_cast<Word*>(at.host), wanted, __ATOMIC_SEQ_CST);
}

struct Walk {
    u64 rights = pte_writable | pte_user;    // AND of all levels
    bool no_execute = false;    // OR of all levels
};

bool permitted(Cpu& c, u64 linear, Access access, const Walk& walk, u64 entry)
{
    const bool user_page = walk.rights & pte_user;
    const bool user = user_context(c);
    bool allowed = true;
    if (user && !user_page)
        allowed = false;
    else if (!user && user_page && access == Access::fetch && c.cr4 & cr4_smep)
        allowed = false;
    else if (!user && user_page && access != Access::fetch && !user_pages_allowed(c))
        allowed = false;
    if (access == Access::fetch && walk.no_execute)
        allowed = false;
    if (access == Access::write && !(walk.rights & pte_writable) && (user || c.cr0 & cr0_wp))
        allowed = false;
    const bool write = access == Access::write && (user || c.cr0 & cr0_wp);
    const bool forbidden = user_page && access != Access::fetch && key_forbids(c, entry, write);
    return (allowed && !forbidden) || fail(c, linear, access, error_present | (forbidden ? error_key : 0));
}

bool may_cache_write(const Cpu& c, const Walk& walk, u64 entry)
{
    return entry & pte_dirty && (walk.rights & pte_writable || (!user_context(c) && !(c.cr0 & cr0_wp)));
}

bool finish(
    Cpu& c, u64 linear, Access access, const Walk& walk, const TableEntry& at, u64 entry, bool wide, u64 page_bits,
    Translation& to)
{
    if (!permitted(c, linear, access, walk, entry))
        return false;
    const u64 wanted = pte_accessed | (access == Access::write ? pte_dirty : 0);
    if (wide)
        set_entry_bits<u64>(at, entry, wanted);
    else
        set_entry_bits<u32>(at, u32(entry), u32(wanted));
    entry |= wanted;
    to.physical = (page_bits & ~page_mask) | (linear & page_mask);
    to.writable = may_cache_write(c, walk, entry);
    to.global = c.cr4 & cr4_pge && entry & pte_global;
    to.has_key = walk.rights & pte_user && entry >> pte_key_shift & 15;
    return true;
}

// The directory entry's accessed bit waits until the access is allowed, as on the 386; the wide walk sets it as it goes.
bool walk_32(Cpu& c, u64 linear, Access access, Translation& to)
{
    Walk walk;
    TableEntry directory_at;
    u32 directory = 0;
    u64 table = c.cr3 & 0xfffff000;
    for (unsigned level = 2; level > 0; --level) {
        const TableEntry at = table_entry(c, table + (linear >> (level == 2 ? 22 : 12) & 1023) * 4);
        const u32 entry = at ? __atomic_load_n(reinterpret_cast<u32*>(at.host), __ATOMIC_RELAXED) : 0;
        if (!(entry & pte_present))
            return fail(c, linear, access, 0);
        walk.rights &= entry;
        if (level == 2 && entry & pte_large && c.cr4 & cr4_pse) {
            if (entry & 0x00200000)
                return fail(c, linear, access, error_present | error_reserved);
            const u64 page = (entry & 0xffc00000) | u64(entry >> 13 & 0xff) << 32 | (linear & 0x3ff000);
            return finish(c, linear, access, walk, at, entry, false, page, to);
        }
        if (level == 1) {
            if (!finish(c, linear, access, walk, at, entry, false, entry & 0xfffff000, to))
                return false;
            set_entry_bits<u32>(directory_at, directory, pte_accessed);
            return true;
        }
        directory_at = at;
        directory = entry;
        table = entry & 0xfffff000;
    }
    return false;
}

// PAE (3 levels, from the PDPT) and long mode (4 levels).
bool walk_wide(Cpu& c, u64 linear, Access access, Translation& to)
{
    Walk walk;
    const bool nx = c.efer & efer_nxe;
    const u64 reserved = ((u64(1) << 52) - 1) & ~physical_bits_mask;
    unsigned level = c.long_mode() ? 4 : 3;
    u64 table = c.long_mode() ? c.cr3 & 0x000ffffffffff000 : c.cr3 & 0xffffffe0;
    for (;; --level) {
        const unsigned shift = 12 + 9 * (level - 1);
        const u64 index = c.long_mode() || level < 3 ? linear >> shift & 511 : linear >> shift & 3;
        const TableEntry at = table_entry(c, table + index * 8);
        const u64 entry = at ? __atomic_load_n(reinterpret_cast<u64*>(at.host), __ATOMIC_RELAXED) : 0;
        if (!(entry & pte_present))
            return fail(c, linear, access, 0);
        const bool pae_pointer = !c.long_mode() && level == 3;
        if (entry & reserved || (entry & pte_no_execute && !nx) || (level == 4 && entry & pte_large))
            return fail(c, linear, access, error_present | error_reserved);
        if (!pae_pointer) {
            walk.rights &= entry;
            walk.no_execute |= bool(entry & pte_no_execute);
        }
        const bool large = level > 1 && level < 4 && !pae_pointer && entry & pte_large;
        if (level == 1 || large) {
            const u64 low = (u64(1) << shift) - 1;
            if (large && entry & low & ~u64(0x1fff))
                return fail(c, linear, access, error_present | error_reserved);
            const u64 page = (entry & physical_bits_mask & ~low) | (linear & low);
            return finish(c, linear, access, walk, at, entry, true, page, to);
        }
        if (!pae_pointer)
            set_entry_bits<u64>(at, entry, pte_accessed);
        table = entry & physical_bits_mask & ~page_mask;
    }
}

bool page_watched(const Cpu& c, u64 linear)
{
    if (!(c.dr7 & 0xff))
        return false;
    for (unsigned n = 0; n < 4; ++n)
        if (c.dr7 >> (2 * n) & 3 && ((c.dr[n] ^ linear) & ~page_mask) == 0)
            return true;
    return false;
}

// DR6 bits of the data breakpoints that an access hits. SDM vol. 3, 17.2.5.
void watch(Cpu& c, u64 linear, unsigned size, Access access)
{
    for (unsigned n = 0; n < 4; ++n) {
        if (!(c.dr7 >> (2 * n) & 3))
            continue;
        const unsigned kind = unsigned(c.dr7 >> (16 + 4 * n) & 3);
        const unsigned code = unsigned(c.dr7 >> (18 + 4 * n) & 3);
        const u64 length = code == 2 ? 8 : code + 1;
        if (kind == 0 || kind == 2 || (kind == 1 && access != Access::write))
            continue;
        const u64 first = c.dr[n] & ~(length - 1);
        if (linear < first + length && first < linear + size)
            c.pending_debug |= 1u << n;
    }
}

// Whether an access is one of the stack: by SS, or beside the memory operand of an instruction that pushes or pops.
bool is_stack_access(const Cpu& c, const Insn* i, u64 linear)
{
    if (!i || !i->row)
        return i && i->segment == ss;
    if (i->memory()) {
        constexpr u64 widest_operand = 16;
        const u64 operand = (c.base[i->segment] + effective_address(c, i)) & c.linear_mask;
        if (linear - operand < widest_operand)
            return i->segment == ss;
    }
    const Forms* const forms = i->row->forms;
    return i->row->traits & (defaults_to_64 | forced_64) || forms == &ret_far_forms || forms == &iret_forms
        || forms == &call_far_indirect_forms;
}

Translation translate_or_raise(Cpu& c, const Insn* i, u64 linear, Access access)
{
    c.current = i;
    if (c.code_64() && !canonical(linear))
        c.raise(i, is_stack_access(c, i, linear) ? stack_fault : general_protection, 0);
    Translation to;
    if (!translate(c, linear, access, to))
        c.raise_again();
    return to;
}

bool local_apic_page(const Cpu& c, u64 physical)
{
    constexpr u64 enabled = 0x800, x2apic = 0x400;
    return (c.msr.apic_base & (enabled | x2apic)) == enabled && ((physical ^ c.msr.apic_base) & ~page_mask) == 0;
}

// Before an access that is not by the soft TLB.
void tell_journal(Cpu& c, u64 physical, Access access)
{
    if (!c.journal)
        return;
    const FlatRange* const range = find_range(c, physical);
    if (local_apic_page(c, physical) || (range && (range->io || (access == Access::write && range->on_write))))
        c.journal->touch_device();
    else if (access == Access::write && range && range->write)
        c.journal->about_to_write(range->write->data() + range->write_offset + (physical - range->first));
}

// One access that stays within a page, by physical address.
u64 load_physical(Cpu& c, u64 physical, unsigned size)
{
    tell_journal(c, physical, Access::read);
    if (local_apic_page(c, physical))
        return c.lapic->read(physical & page_mask, size);
    return c.memory->read(physical, size, viewer(c));
}

void store_physical(Cpu& c, u64 physical, u64 value, unsigned size)
{
    tell_journal(c, physical, Access::write);
    if (local_apic_page(c, physical))
        c.lapic->write(physical & page_mask, value, size);
    else
        c.memory->write(physical, value, size, viewer(c));
}

void fill(Cpu& c, Access access, u64 linear, const u8* host, const Translation& to)
{
    if (c.soft_tlb.checks_alignment(c.tlb))
        return;
    c.tlb->fill(access, linear, u64(host), to.global, to.has_key);
    if (access == Access::fetch)
        c.soft_tlb.fetched(*c.tlb, linear);
}

// A page's host address for `access` if it is plain memory; fills the TLB where that is allowed.
u8* host_page(Cpu& c, u64 linear, Access access, const Translation& to)
{
    const u64 physical = masked_physical(c, to.physical) & ~page_mask;
    if (local_apic_page(c, physical))
        return nullptr;
    const FlatRange* range = find_range(c, physical);
    if (!range || range->io)
        return nullptr;
    MemoryBlock* const memory = access == Access::write ? range->write : range->read;
    if (!memory)
        return nullptr;
    ++c.tlb_fills;
    const u64 offset = (access == Access::write ? range->write_offset : range->read_offset) + (physical - range->first);
    u8* const host = memory->data() + offset;
    if (page_watched(c, linear))
        return nullptr;
    if (access == Access::write) {
        if (memory->holds_code(offset >> page_shift))
            return nullptr;
        memory->before_write(offset >> page_shift);
        memory->populate(offset >> page_shift);
        memory->set_dirty(offset >> page_shift);
        if (memory->holds_code(offset >> page_shift))
            return nullptr;
        if (c.journal)
            c.journal->about_to_write(host);
        const bool runs_now = c.block && holds_page(*c.block, memory, offset >> page_shift);
        if (to.writable && !runs_now && (!c.journal || c.journal->gives_away(*c.tlb, linear)))
            fill(c, Access::write, linear, host, to);
    } else {
        memory->before_read(offset >> page_shift);
        fill(c, access, linear, host, to);
    }
    return host;
}

// A store into the page that is running now, or from host code into any code: the block is left first and the instruction
// run on its own. So is one after which memory may show something else to the very next instruction.
void leave_own_code(Cpu& c, const Insn* i, u64 physical, unsigned size)
{
    if (c.single_next || (!c.block && !c.host_code.framed))
        return;
    const FlatRange* range = find_range(c, physical);
    if (!range || !(range->write || range->on_write))
        return;
    if (!range->on_write) {
        const u64 offset = range->write_offset + (physical - range->first);
        // Marks may have gone while the block runs.
        const u64 page = offset >> page_shift;
        const bool may_hit = range->write->holds_code(offset, size) || (c.block && !range->write->holds_code(page));
        if (!may_hit || (!c.host_code.framed && !holds_page(*c.block, range->write, page)))
            return;
    }
    c.current = i;
    c.fault = {0, false, 0, Cpu::Fault::Kind::retry_single};
    c.raise_again();
}

}

u64 masked_physical(const Cpu& c, u64 physical)
{
    return c.memory->a20() ? physical : physical & ~(u64(1) << 20);
}

const FlatRange* find_range(const Cpu& c, u64 physical)
{
    const auto& view = *c.view;
    auto after = std::ranges::upper_bound(view, physical, {}, &FlatRange::first);
    if (after == view.begin())
        return nullptr;
    --after;
    return physical - after->first < after->size ? &*after : nullptr;
}

bool translate(Cpu& c, u64 linear, Access access, Translation& to)
{
    if (!(c.cr0 & cr0_pg)) {
        to = {linear & (c.code_64() ? ~u64(0) : 0xffffffff), true, false};
        return true;
    }
    return c.cr4 & cr4_pae ? walk_wide(c, linear, access, to) : walk_32(c, linear, access, to);
}

void check_alignment(Cpu& c, const Insn* i, u64 linear, unsigned alignment)
{
    if (linear & (alignment - 1) && c.soft_tlb.checks_alignment(c.tlb)) [[unlikely]]
        c.raise(i, alignment_check, 0);
}

u64 load_slow(Cpu& c, const Insn* i, u64 linear, unsigned size)
{
    const unsigned in_page = unsigned(page_size - (linear & page_mask));
    if (size > in_page) [[unlikely]] {
        const u64 second = (linear + in_page) & c.linear_mask;
        translate_or_raise(c, i, linear, Access::read);
        translate_or_raise(c, i, second, Access::read);
        check_alignment(c, i, linear, size);
        u64 value = 0;
        for (unsigned n = 0; n < size; ++n)
            value |= u64(load_linear<u8>(c, i, (linear + n) & c.linear_mask)) << (8 * n);
        return value;
    }
    const Translation to = translate_or_raise(c, i, linear, Access::read);
    check_alignment(c, i, linear, size);
    if (page_watched(c, linear))
        watch(c, linear, size, Access::read);
    if (const u8* page = host_page(c, linear, Access::read, to)) {
        u64 value = 0;
        std::memcpy(&value, page + (linear & page_mask), size);
        return value;
    }
    return load_physical(c, masked_physical(c, to.physical), size);
}

void store_slow(Cpu& c, const Insn* i, u64 linear, u64 value, unsigned size)
{
    const unsigned in_page = unsigned(page_size - (linear & page_mask));
    if (size > in_page) [[unlikely]] {
        probe_write(c, i, linear, size);
        check_alignment(c, i, linear, size);
        for (unsigned n = 0; n < size; ++n)
            store_linear<u8>(c, i, (linear + n) & c.linear_mask, u8(value >> (8 * n)));
        return;
    }
    const Translation to = translate_or_raise(c, i, linear, Access::write);
    check_alignment(c, i, linear, size);
    if (page_watched(c, linear))
        watch(c, linear, size, Access::write);
    if (u8* page = host_page(c, linear, Access::write, to)) {
        std::memcpy(page + (linear & page_mask), &value, size);
        return;
    }
    const u64 physical = masked_physical(c, to.physical);
    leave_own_code(c, i, physical, size);
    store_physical(c, physical, value, size);
}

bool probe_write(Cpu& c, const Insn* i, u64 linear, unsigned size)
{
    if ((linear ^ c.tlb->entry(Access::write, linear).tag) <= page_size - size)
        return true;
    const Translation first = translate_or_raise(c, i, linear, Access::write);
    const u64 in_page = page_size - (linear & page_mask);
    leave_own_code(c, i, masked_physical(c, first.physical), unsigned(std::min<u64>(size, in_page)));
    if (size <= in_page)
        return true;
    const u64 second = (linear + in_page) & c.linear_mask;
    const Translation rest = translate_or_raise(c, i, second, Access::write);
    leave_own_code(c, i, masked_physical(c, rest.physical), unsigned(size - in_page));
    return false;
}

u8* host_address(Cpu& c, const Insn* i, u64 linear, unsigned size, Access access)
{
    if ((linear & page_mask) + size > page_size)
        return nullptr;
    const TlbEntry& entry = c.tlb->entry(access, linear);
    if ((linear ^ entry.tag) < page_size)
        return reinterpret_cast<u8*>(entry.host + (linear ^ entry.tag));
    const Translation to = translate_or_raise(c, i, linear, access);
    // The widest are vectors, and what host code takes for one of the x87's ten bytes.
    check_alignment(c, i, linear, size <= 8 ? size : i && i->row && i->row->traits & fpu ? 8 : 1);
    u8* const page = host_page(c, linear, access, to);
    return page ? page + (linear & page_mask) : nullptr;
}

Probe probe_host(Cpu& c, u64 linear, unsigned size, Access access)
{
    const auto page = [&](u64 at) -> Probe {
        if (c.code_64() && !canonical(at))
            return {nullptr, true};
        const TlbEntry& entry = c.tlb->entry(access, at);
        if ((at ^ entry.tag) < page_size)
            return {reinterpret_cast<u8*>(entry.host), false};
        if (c.soft_tlb.checks_alignment(c.tlb))
            return {};    // each access by itself
        Translation to;
        if (!translate(c, at, access, to))
            return {nullptr, true};
        return {host_page(c, at, access, to), false};
    };
    const u64 cr2 = c.cr2, last = (linear + size - 1) & c.linear_mask;
    Probe found = page(linear);
    if (found.host && (linear ^ last) >= page_size) {
        const Probe next = page(last & ~page_mask);
        if (next.host != found.host + page_size)
            found = {nullptr, next.faults};
    }
    c.cr2 = cr2;
    if (found.host)
        found.host += linear & page_mask;
    return found;
}

OverCode address_over_code(Cpu& c, const Insn* i, u64 linear, unsigned size)
{
    if ((linear & page_mask) + size > page_size)
        return {};
    const Translation to = translate_or_raise(c, i, linear, Access::write);
    const u64 physical = masked_physical(c, to.physical);
    const FlatRange* const range = find_range(c, physical);
    if (!range || range->io || !range->write || local_apic_page(c, physical) || page_watched(c, linear))
        return {};
    const u64 offset = range->write_offset + (physical - range->first);
    leave_own_code(c, i, physical, size);
    tell_journal(c, physical, Access::write);
    range->write->before_write(offset >> page_shift);
    return {range->write->data() + offset, range->write, offset};
}

CodePage fetch_page(Cpu& c, u64 linear)
{
    const Translation to = translate_or_raise(c, nullptr, linear, Access::fetch);
    const u64 physical = masked_physical(c, to.physical) & ~page_mask;
    const FlatRange* range = find_range(c, physical);
    if (!range || !range->read)
        return {};
    const u64 offset = range->read_offset + (physical - range->first);
    range->read->before_read(offset >> page_shift);
    return {range->read->data() + offset, range->read, offset >> page_shift};
}

bool peek(const Cpu& c, u64 linear, u64& physical)
{
    physical = linear;
    if (!(c.cr0 & cr0_pg))
        return true;
    const bool wide = c.cr4 & cr4_pae;
    unsigned level = !wide ? 2 : c.long_mode() ? 4 : 3;
    u64 table = c.cr3 & (wide && level == 3 ? 0xffffffe0 : ~page_mask & physical_bits_mask);
    for (;; --level) {
        const unsigned index_bits = wide ? 9 : 10;
        const unsigned shift = 12 + index_bits * (level - 1);
        const u64 index = linear >> shift & (wide && level == 3 && !c.long_mode() ? 3 : (1u << index_bits) - 1);
        const u64 entry = wide ? c.memory->dma_load<u64>(table + 8 * index) : c.memory->dma_load<u32>(table + 4 * index);
        if (!(entry & pte_present))
            return false;
        if (level == 1 || (entry & pte_large && level < 4)) {
            const u64 low = (u64(1) << shift) - 1;
            physical = (entry & physical_bits_mask & ~low) | (linear & low);
            return true;
        }
        table = entry & physical_bits_mask & ~page_mask;
    }
}

}
