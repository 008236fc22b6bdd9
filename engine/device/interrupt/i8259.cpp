#include "engine/device/interrupt/i8259.h"

namespace engine {

namespace {
using Chip = I8259Pair::Chip;
// 8259A data sheet, "Initialization command words" and "Operation command words"
constexpr u8 icw1 = 0x10, icw1_ic4 = 0x01, icw1_single = 0x02;
constexpr u8 icw4_auto_eoi = 0x02, icw4_special_nested = 0x10;
constexpr u8 ocw3 = 0x08, ocw3_read_isr = 0x01, ocw3_read = 0x02, ocw3_poll = 0x04, ocw3_smm = 0x20, ocw3_set_smm = 0x40;
// OCW2, bits 7-5
enum Ocw2 : u8 {
    clear_rotate_on_aeoi,
    end_of_interrupt,
    no_operation,
    specific_end_of_interrupt,
    set_rotate_on_aeoi,
    rotate_on_end_of_interrupt,
    set_priority,
    rotate_on_specific
};

constexpr unsigned cascade = 2;
constexpr std::array<u8, 2> elcr_writable{0xf8, 0xde};
constexpr int none = -1;

// The set bit of highest priority.
int highest(const Chip& chip, u8 set)
{
    for (unsigned n = 1; n <= 8 && set; ++n)
        if (const unsigned level = (chip.lowest + n) & 7; set >> level & 1)
            return int(level);
    return none;
}

unsigned rank(const Chip& chip, int level)
{
    return unsigned(level - chip.lowest - 1) & 7;
}

// In special mask mode a masked level in service blocks nobody and no non-specific EOI finds it.
u8 in_service(const Chip& chip)
{
    return chip.special_mask ? u8(chip.isr & ~chip.imr) : chip.isr;
}

void write_ocw2(Chip& chip, u8 value)
{
    const auto command = Ocw2(value >> 5);
    const int level = command & 2 ? value & 7 : highest(chip, in_service(chip));
    switch (command) {
    case clear_rotate_on_aeoi:
    case set_rotate_on_aeoi:
        chip.rotate_on_aeoi = command == set_rotate_on_aeoi;
        return;
    case no_operation:
        return;
    case set_priority:
        chip.lowest = u8(level);
        return;
    default:
        if (level == none)
            return;
        chip.isr &= u8(~(1 << level));
        if (command == rotate_on_end_of_interrupt || command == rotate_on_specific)
            chip.lowest = u8(level);
    }
}

void write_ocw3(Chip& chip, u8 value)
{
    if (value & ocw3_set_smm)
        chip.special_mask = bool(value & ocw3_smm);
    if (value & ocw3_poll)
        chip.poll = 1;
    else if (value & ocw3_read)
        chip.read_isr = value & ocw3_read_isr;
}

void write_icw1(Chip& chip, u8 value)
{
    const Chip before = chip;
    chip = {};
    chip.lines = before.lines;
    chip.elcr = before.elcr;
    chip.icw2 = before.icw2;
    chip.next_icw = 2;
    chip.expects_icw4 = value & icw1_ic4;
    chip.single = bool(value & icw1_single);
}

void write_data(Chip& chip, u8 value)
{
    switch (chip.next_icw) {
    case 2:
        chip.icw2 = value & 0xf8;
        chip.next_icw = chip.single ? (chip.expects_icw4 ? 4 : 0) : 3;
        break;
    case 3:
        // Which input carries the slave is the board's wiring, whatever ICW3 says.
        chip.next_icw = chip.expects_icw4 ? 4 : 0;
        break;
    case 4:
        chip.icw4 = value & 0x1f;
        chip.next_icw = 0;
        break;
    default:
        chip.imr = value;
    }
}
}

I8259Pair::I8259Pair()
    : master_(*this, &I8259Pair::read_master, &I8259Pair::write_master),
      slave_(*this, &I8259Pair::read_slave, &I8259Pair::write_slave),
      elcr_(*this, &I8259Pair::read_elcr, &I8259Pair::write_elcr)
{
    for (unsigned n = 0; n < irqs_.size(); ++n)
        irqs_[n].connect([this, n](bool level) { set_line(n, level); });
}

void I8259Pair::claim(PortSpace& ports)
{
    ports.claim(0x20, 2, master_);
    ports.claim(0xa0, 2, slave_);
    ports.claim(0x4d0, 2, elcr_);
}

void I8259Pair::set_line(unsigned n, bool level)
{
    if (n == cascade)
        return;
    Chip& chip = s_.chips[n / 8];
    const u8 bit_n = u8(1 << n % 8);
    if (bool(chip.lines & bit_n) == level)
        return;
    chip.lines ^= bit_n;
    if (level && !(chip.elcr & bit_n))
        chip.edges |= bit_n;
    else
        chip.edges &= u8(~bit_n);
    update();
}

// The interrupt request register. The slave's output counts as a level, so that it is seen again after the master's EOI.
u8 I8259Pair::requests(unsigned which) const
{
    const Chip& chip = s_.chips[which];
    u8 irr = u8(chip.edges | (chip.lines & chip.elcr));
    if (which == 0 && pending(1) != none)
        irr |= 1 << cascade;
    return irr;
}

// The level that the chip would interrupt for now.
int I8259Pair::pending(unsigned which) const
{
    const Chip& chip = s_.chips[which];
    if (chip.next_icw)
        return none;
    const int request = highest(chip, requests(which) & u8(~chip.imr));
    u8 blocking = in_service(chip);
    if (which == 0 && chip.icw4 & icw4_special_nested && request == int(cascade))
        blocking &= u8(~(1 << cascade));
    const int serving = highest(chip, blocking);
    if (request == none || (serving != none && rank(chip, serving) <= rank(chip, request)))
        return none;
    return request;
}

void I8259Pair::take(Chip& chip, unsigned level)
{
    chip.edges &= u8(~(1 << level));
    if (!(chip.icw4 & icw4_auto_eoi))
        chip.isr |= u8(1 << level);
    else if (chip.rotate_on_aeoi)
        chip.lowest = u8(level);
}

u8 I8259Pair::acknowledge()
{
    constexpr u8 spurious = 7;
    auto& [master, slave] = s_.chips;
    const int level = pending(0);
    u8 vector = u8(master.icw2 | (level == none ? spurious : level));
    if (level == int(cascade)) {
        const int slave_level = pending(1);
        vector = u8(slave.icw2 | (slave_level == none ? spurious : slave_level));
        if (slave_level != none)
            take(slave, unsigned(slave_level));
    }
    if (level != none)
        take(master, unsigned(level));
    update();
    return vector;
}

u8 I8259Pair::poll(unsigned which)
{
    Chip& chip = s_.chips[which];
    chip.poll = 0;
    const int level = pending(which);
    if (level == none)
        return 0;
    take(chip, unsigned(level));
    update();
    return u8(0x80 | level);
}

u8 I8259Pair::read_chip(unsigned which, bool a0)
{
    const Chip& chip = s_.chips[which];
    if (chip.poll)
        return poll(which);
    if (a0)
        return chip.imr;
    return chip.read_isr ? chip.isr : requests(which);
}

void I8259Pair::write_chip(unsigned which, bool a0, u8 value)
{
    Chip& chip = s_.chips[which];
    if (a0)
        write_data(chip, value);
    else if (value & icw1)
        write_icw1(chip, value);
    else if (value & ocw3)
        write_ocw3(chip, value);
    else
        write_ocw2(chip, value);
    update();
}

void I8259Pair::write_elcr(u64 offset, u8 value)
{
    Chip& chip = s_.chips[offset & 1];
    chip.elcr = value & elcr_writable[offset & 1];
    chip.edges &= u8(~chip.elcr);
    update();
}

void I8259Pair::update()
{
    intr_.set(pending(0) != none);
}

void I8259Pair::reset()
{
    for (Chip& chip : s_.chips) {
        const u8 lines = chip.lines;
        chip = {};
        chip.lines = lines;
    }
    update();
}

void Chip::visit(StateVisitor& v)
{
    auto& [lines_, edges_, isr_, imr_, elcr_, icw2_, icw4_, next_icw_, expects_icw4_, single_, lowest_, rotate_, special_mask_, poll_, read_isr_]
        = *this;
    v.field("lines", lines_);
    v.field("edges", edges_);
    v.field("isr", isr_);
    v.field("imr", imr_);
    v.field("elcr", elcr_);
    v.field("icw2", icw2_);
    v.field("icw4", icw4_);
    v.field("next_icw", next_icw_);
    v.field("expects_icw4", expects_icw4_);
    v.field("single", single_);
    v.field("lowest", lowest_);
    v.field("rotate_on_aeoi", rotate_);
    v.field("special_mask", special_mask_);
    v.field("poll", poll_);
    v.field("read_isr", read_isr_);
}

void I8259Pair::visit(StateVisitor& v)
{
    auto& [chips] = s_;
    v.groups("chips", chips);
}

bool I8259Pair::restored()
{
    for (unsigned n = 0; n < 2; ++n) {
        const Chip& chip = s_.chips[n];
        if (chip.lowest > 7 || chip.next_icw == 1 || chip.next_icw > 4 || chip.elcr & ~elcr_writable[n] || chip.icw2 & 7)
            return false;
    }
    update();
    return true;
}

}
