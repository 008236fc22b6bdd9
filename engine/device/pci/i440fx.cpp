#include "engine/device/pci/i440fx.h"

#include <cstring>

#include "engine/base/bits.h"

namespace engine {

namespace {
// 290549, 3.2
constexpr u8 command = 0x04, status = 0x06, pmc_config = 0x50, deturbo = 0x52, dbuffer_control = 0x53, auxiliary_control = 0x54,
             dram_timing = 0x55, dram_control = 0x57, dram_timing_2 = 0x58, pam = 0x59, dram_row_boundary = 0x60,
             fixed_dram_hole = 0x68, multi_transaction_timer = 0x70, cpu_latency_timer = 0x71, smram = 0x72, error_command = 0x90,
             error_status = 0x91;
constexpr unsigned pam_count = 7, row_count = 8;
constexpr u8 pam_read = 1, pam_write = 2;
constexpr u8 smram_open = 0x40, smram_closed = 0x20, smram_locked = 0x10, smram_enable = 0x08, smram_base_segment = 0x02,
             smram_writable = smram_open | smram_closed | smram_locked | smram_enable;

constexpr u64 segment_base = 0xc0000, segment_size = 0x4000, bios_base = 0xf0000, bios_size = 0x10000;
constexpr u64 rom_base = 0xe0000, one_mib = 0x100000, smm_base = 0xa0000, smm_size = 0x20000;
constexpr int segment_priority = 2, smm_priority = 3;

struct Range {
    u64 first, size;
};
Range range_of(unsigned segment)
{
    return segment == 0 ? Range{bios_base, bios_size} : Range{segment_base + (segment - 1) * segment_size, segment_size};
}
}

Result<std::unique_ptr<I440fx>> I440fx::create(PciWires wires, MemoryBlock& ram, MemoryBlock& firmware)
{
    auto open_bus = MemoryBlock::create("open-bus", bios_size);
    if (!open_bus)
        return open_bus.error();
    if (ram.size() < one_mib || firmware.size() < one_mib - rom_base)
        return Error{
            "The memory controller cannot be built", "It needs 1 MiB of RAM and 128 KiB of firmware",
            "Give the machine more memory, and install a complete firmware image"};
    std::memset((*open_bus)->data(), 0xff, (*open_bus)->size());
    return std::unique_ptr<I440fx>(new I440fx(wires, ram, firmware, std::move(*open_bus)));
}

I440fx::I440fx(PciWires wires, MemoryBlock& ram, MemoryBlock& firmware, std::unique_ptr<MemoryBlock> open_bus)
    : PciFunction(wires, {.vendor = 0x8086, .device = 0x1237, .class_code = 0x060000, .revision = 2}),
      ram_(ram),
      firmware_(firmware),
      open_bus_(std::move(open_bus))
{
    define_config16(command, 0x0006, 0x0140);
    define_config16(status, 0x0280, 0);
    define_config16(pmc_config, 0, 0xffff);
    define_config(deturbo, 0, 0xff);
    define_config(dbuffer_control, 0x80, 0xff);
    define_config(auxiliary_control, 0, 0xff);
    define_config16(dram_timing, 0, 0xffff);
    define_config(dram_control, 0x01, 0xff);
    define_config(dram_timing_2, 0x10, 0xff);
    for (unsigned n = 0; n < pam_count; ++n)
        define_config(u8(pam + n), 0, n == 0 ? 0x30 : 0x33);
    for (unsigned n = 0; n < row_count; ++n)
        define_config(u8(dram_row_boundary + n), 0x01, 0xff);
    define_config(fixed_dram_hole, 0, 0xff);
    define_config(multi_transaction_timer, 0x20, 0xff);
    define_config(cpu_latency_timer, 0x10, 0xff);
    define_config(smram, smram_base_segment, smram_writable);
    define_config(error_command, 0, 0xff);
    define_config(error_status, 0, 0);

    AddressSpace& memory = wires_.memory;
    memory.begin_changes();
    for (unsigned n = 0; n < segment_count; ++n) {
        const Range range = range_of(n);
        segments_[n] = memory.add_rom("pam", range.first, range.size, segment_priority, *open_bus_, 0);
        show_segment(n);
    }
    smram_ = memory.add_ram("smram", smm_base, smm_size, smm_priority, ram_, smm_base);
    memory.enable(smram_, false);
    memory.end_changes();
}

void I440fx::show_segment(unsigned segment)
{
    const Range range = range_of(segment);
    const unsigned pair = segment == 0 ? 0 : 1 + (segment - 1) / 2;
    const bool high_half = segment == 0 || (segment - 1) % 2;
    const u8 attributes = u8(config(u8(pam + pair)) >> (high_half ? 4 : 0));

    MemoryBlock* read = &ram_;
    u64 read_offset = range.first;
    if (!(attributes & pam_read)) {
        const bool rom = range.first >= rom_base;
        read = rom ? &firmware_ : open_bus_.get();
        read_offset = rom ? firmware_.size() - (one_mib - range.first) : 0;
    }
    wires_.memory.show(
        segments_[segment], read, read_offset, attributes & pam_write ? &ram_ : nullptr,
        attributes & pam_write ? range.first : 0);
}

void I440fx::update_memory()
{
    wires_.memory.begin_changes();
    for (unsigned n = 0; n < segment_count; ++n)
        show_segment(n);
    const u8 control = config(smram);
    wires_.memory.enable(smram_, control & smram_enable && control & smram_open && !(control & smram_closed));
    wires_.memory.enable_in_smm(smram_, control & smram_enable);
    wires_.memory.end_changes();
}

void I440fx::apply_smram_lock()
{
    // Locked until reset: D_OPEN clear and the register read-only.
    const u8 control = u8((config(smram) & smram_writable) | smram_base_segment);
    const bool locked = control & smram_locked;
    define_config(smram, smram_base_segment, locked ? 0 : smram_writable);
    set_config(smram, u8(locked ? control & ~smram_open : control));
}

void I440fx::config_written(u8 offset, unsigned size)
{
    const auto touches = [&](u8 first, unsigned count) { return offset < first + count && first < offset + size; };
    if (touches(smram, 1))
        apply_smram_lock();
    if (touches(pam, pam_count) || touches(smram, 1))
        update_memory();
}

void I440fx::reset()
{
    PciFunction::reset();
    apply_smram_lock();
    update_memory();
}

bool I440fx::restored()
{
    if (!PciFunction::restored())
        return false;
    apply_smram_lock();
    update_memory();
    return true;
}

}
