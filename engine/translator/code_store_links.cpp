// Jumps from block to block, which are linked when they are first followed.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "engine/cpu/x86/handlers.h"
#include "engine/translator/code_store.h"

namespace engine::translator {

void CodeStore::complete_link(CodeUser& user, Block& b)
{
    const u64 number = std::exchange(user.pending_link, 0);
    if (!number || still_to_forget_ || !b.code)
        return;
    if (number & far_bit)
        return complete_far_link(user, b, u32(number >> 1));
    const Link* const link = find_link(u32(number >> 1));
    if (!link || link->mode != b.mode || link->host != b.host)
        return;
    Page& page = page_at(page_of(b));
    const u8* const code = link_to(b.host, b.mode);
    if (!code || (is_emptied(link->displacement) && !has_emptied(page)))
        return;
    set_displacement(link->displacement, code);
    page.jumps.push_back({link->displacement, b.in_page, u16(b.mode)});
}

CodeStore::Link* CodeStore::find_link(u32 number)
{
    std::deque<Link>& links = regions_[number % (1u << region_bits) - 1].links;
    const u32 n = number >> region_bits;
    return n < links.size() ? &links[n] : nullptr;
}

CodeStore::LinkToPage* CodeStore::find_far_link(u32 number)
{
    std::deque<LinkToPage>& links = regions_[number / far_of_region_].far_links;
    const u32 n = number % far_of_region_;
    return n < links.size() ? &links[n] : nullptr;
}

// Where others may be running it, it is aligned.
void CodeStore::set_displacement(u32 at, const u8* code)
{
    u8* const displacement = cache_->at(at);
    if (at % sizeof(i32) != 0)
        return Assembler::patch(displacement, cache_->writable(code));
    const auto distance = i32(cache_->writable(code) - (displacement + sizeof(i32)));
    std::atomic_ref(*reinterpret_cast<i32*>(displacement)).store(distance, std::memory_order_release);
}

// What leads one vCPU on leads the others too, who may be between their look at context and page and the jump: it goes to this
// place for good, and not to blocks of which there may be others at the same place.
bool CodeStore::may_lead_to(LinkToPage& link, const Block& b)
{
    const bool shared = !link.context;
    if (shared && (b.straddles || (link.host && link.host != b.host)))
        return false;
    link.host = b.host;
    return true;
}

void CodeStore::set_far_page(CodeUser& user, u32 number, u64 page)
{
    if (const u32 at = find_far_link(number)->page)
        std::memcpy(cache_->at(at), &page, sizeof page);
    user.far[number].page = page;
}

// By another than the user, who may be looking at it, only to 0.
void CodeStore::set_far_context(CodeUser& user, u32 number, u64 context)
{
    if (const u32 at = find_far_link(number)->context)
        std::memcpy(cache_->at(at), &context, sizeof context);
    std::atomic_ref(user.far[number].context).store(context, std::memory_order_release);
}

// A block that is a jump alone, by what stands in memory: where that is, counted from the start of the block's page. 0: it isn't.
static i64 slot_of_jump(const Block& b)
{
    constexpr unsigned most = 2;    // with ENDBR
    if (b.straddles || b.count > most)
        return 0;
    x86::DecodedBlock insns;
    x86::decode_again(b, insns);
    const Insn &first = insns[0], &last = insns[b.count - 1];
    const Lowering* const lowering = lowering_of(first, b.mode);
    const bool alone = b.count == 1 || (lowering && lowering->emit == &BlockTranslator::emit_nothing);
    const bool jumps = last.row->forms == &x86::jmp_indirect_forms && goes_by_rip(last) && last.operand_size == sizeof(u64);
    const bool in_one_page = (u64(i64(last.disp)) & page_mask) + sizeof(u64) <= page_size;
    return alone && jumps && in_one_page ? last.disp : 0;
}

// Windows find the slot's page, so there is none where there are no windows.
i64 CodeStore::slot_of_jump_at(u64 in_page)
{
    if (!has_page_windows() || block_->mode & x86::mode_smap)
        return 0;
    const Block* const there = covering(*cpu_, page_now() + in_page);
    gains_when_busy_ |= !there;
    if (!there || there->in_page != (in_page & page_mask) || there->mode != block_->mode)
        return 0;
    const i64 in_its_page = slot_of_jump(*there), slot = i64(in_page & ~page_mask) + in_its_page;
    return in_its_page && slot == i32(slot) ? slot : 0;
}

// Where a link leads on to from `b`, which stands at RIP: to the block itself, or where its jump leads for now.
CodeStore::Destination CodeStore::destination_of(CodeUser& user, const LinkToPage& link, const Block& b, u64 generation)
{
    const Cpu& c = user.cpu;
    const u64 rip = c.gpr[x86::gpr_rip];
    if (!link.slot)
        return {rip, b.host, b.code};
    const i64 slot = slot_of_jump(b);
    if (!slot || link.slot != link.in_page - b.in_page + slot)
        return {};
    const u64 linear = rip - b.in_page + u64(slot);
    const x86::TlbEntry& entry = c.tlb->entry(Access::read, linear);
    if ((entry.tag ^ linear) >= page_size)
        return {};
    Destination to{};
    std::memcpy(&to.rip, reinterpret_cast<const u8*>(entry.host + (linear & page_mask)), sizeof to.rip);
    const JumpTarget& known = user.targets[jump_table_index(to.rip)];
    if (known.rip != to.rip || known.context != jump_context(generation, c.mode) || !known.host_page)
        return {};
    to.host = known.host_page + (to.rip & page_mask);
    to.code = link_to(to.host, b.mode);
    return to;
}

// From the page that the jump would be on if it led here; if something else led here, it is never found there.
void CodeStore::complete_far_link(CodeUser& user, Block& b, u32 number)
{
    Cpu& c = user.cpu;
    LinkToPage* const known = find_far_link(number);
    const u64 generation = x86::generation_of(c, b);
    if (!known)
        return;
    LinkToPage& link = *known;
    if (!generation || link.mode != b.mode || (u64(link.in_page) & page_mask) != b.in_page)
        return;
    FarTarget& target = user.far[number];
    if (!may_lead_to(link, b)) {
        target.patience = most_patience - least_patience;
        return;
    }
    target.patience = i16(std::max<i32>(target.next_patience, least_patience) - least_patience);
    target.next_patience = u16(std::clamp<i32>(2 * target.next_patience, 2 * least_patience, most_patience));
    const Destination to = destination_of(user, link, b, generation);
    if (!to.code)
        return;
    const u64 address_mask = bits_of(b) == 64 ? ~u64(0) : 0xffffffff;
    set_displacement(link.displacement, to.code);
    set_far_page(user, number, (c.gpr[x86::gpr_rip] - u64(link.in_page)) & address_mask);
    set_far_context(user, number, jump_context(generation, c.mode));
    used_by(page_at(to.host & ~page_mask), user, number, target.target_page);
    if (link.slot) {
        std::memcpy(cache_->at(link.target), &to.rip, sizeof to.rip);
        used_by(page_at(page_of(b)), user, number, target.way_page);
    }
}

// From here on the user's jump of that number wants to hear of the page, and no longer of the one whose number is `known`.
void CodeStore::used_by(Page& page, CodeUser& user, u32 number, u32& known)
{
    if (std::exchange(known, page.number) != page.number)
        page.far_uses.push_back({&user, number});
    if (page.far_uses.size() > page.many_far_uses)
        forget_old_far_uses(page);
}

// A number may stand there twice: it has been given to another jump since.
void CodeStore::forget_old_far_uses(Page& page)
{
    std::erase_if(page.far_uses, [&](const FarUse& use) { return !is_current(use, page); });
    const auto key = [](const FarUse& use) { return std::pair(use.user, use.far); };
    std::ranges::sort(page.far_uses, {}, key);
    const auto same = [&](const FarUse& a, const FarUse& b) { return key(a) == key(b); };
    page.far_uses.erase(std::unique(page.far_uses.begin(), page.far_uses.end(), same), page.far_uses.end());
    page.many_far_uses = std::max<std::size_t>(page.many_far_uses, 2 * page.far_uses.size());
}

// Its owner may be looking at it.
void CodeStore::unlink_far(const FarUse& use)
{
    set_far_context(*use.user, use.far, 0);
    use.user->far[use.far].target_page = use.user->far[use.far].way_page = 0;
}

u32 CodeStore::link(u8* displacement, unsigned in_page)
{
    return link_to_place(displacement, page_of(*block_) + in_page, block_->mode);
}

u32 CodeStore::link_to_place(u8* displacement, u64 host, u32 mode)
{
    std::deque<Link>& links = filled().links;
    links.push_back({host, cache_->offset_of(displacement), mode});
    return (u32(links.size() - 1) << region_bits | (filled_ + 1)) << 1;
}

u32 CodeStore::link_far(u64 in_page, i64 slot)
{
    std::deque<LinkToPage>& links = filled().far_links;
    links.push_back({i64(in_page), block_->mode, slot});
    return u32(filled_ * far_of_region_ + links.size() - 1) << 1 | far_bit;
}

void CodeStore::place_far(u32 link, const FarJump& jump)
{
    LinkToPage& to = *find_far_link(link >> 1);
    to.displacement = cache_->offset_of(jump.displacement);
    if (jump.context) {
        to.context = cache_->offset_of(jump.context);
        to.page = cache_->offset_of(jump.page);
        to.target = jump.target ? cache_->offset_of(jump.target) : 0;
    }
}

}
