#pragma once
// 82441FX PCI and memory controller (PMC), function 0:0.0. Intel 440FX PCIset data sheet 290549, section 3.
//
// What it does for a guest is to decide who answers between 640 KiB and 1 MiB: RAM, or the firmware ROM and the PCI bus.
// Not modelled: DRAM timing and row boundaries (stored only), D_CLS (in SMM it would split code from data accesses),
// the Turbo/Reset control at 0x93 (the board's port cf9 does that).

#include <memory>

#include "engine/base/result.h"
#include "engine/device/pci/pci_function.h"

namespace engine {

class I440fx final : public PciFunction {
public:
    // `ram` holds the guest's first MiB at offset 0; the last 128 KiB of `firmware` answer at e0000-fffff while PAM
    // sends reads to the bus. Regions of priority 2 cover c0000-fffff, one of priority 3 SMM space at a0000-bffff.
    static Result<std::unique_ptr<I440fx>> create(PciWires wires, MemoryBlock& ram, MemoryBlock& firmware);

    std::string_view name() const override { return "i440fx"; }
    void reset() override;
    bool restored() override;

private:
    I440fx(PciWires wires, MemoryBlock& ram, MemoryBlock& firmware, std::unique_ptr<MemoryBlock> open_bus);
    void config_written(u8 offset, unsigned size) override;
    void apply_smram_lock();
    void update_memory();
    void show_segment(unsigned segment);

    // f0000-fffff, then the twelve 16 KiB segments from c0000.
    static constexpr unsigned segment_count = 13;

    MemoryBlock& ram_;
    MemoryBlock& firmware_;
    std::unique_ptr<MemoryBlock> open_bus_;    // all ones
    std::array<AddressSpace::RegionId, segment_count> segments_{};
    AddressSpace::RegionId smram_ = 0;
};

}
