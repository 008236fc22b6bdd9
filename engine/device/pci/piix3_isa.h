#pragma once
// PIIX3 (82371SB) function 0: the PCI-to-ISA bridge and its interrupt router. Intel data sheet 290550, section 2.2.
//
// Each PIRQ# drives one ISA interrupt request, active high here and level-triggered when the guest has said so in the
// ELCR. The same request goes to the 8259 pair and to the I/O APIC pin of the same number.
// Not modelled: X-bus chip selects, I/O recovery times, APICBASE and DMA aliases (registers are stored), SMI timers and
// the power management of this function (the PIIX4 does that on this board).

#include <array>
#include <functional>

#include "engine/device/pci/pci_function.h"

namespace engine {

class Piix3Isa final : public PciFunction {
public:
    static constexpr unsigned pirq_count = 4, irq_count = 16;

    // Hears changes of what the PIRQs drive. Others may share the request: the board ORs them.
    Piix3Isa(PciWires wires, std::function<void(unsigned irq, bool level)> irq);

    // From the PCI bus: the state of PIRQ 0 to 3 (A to D).
    void set_pirq(unsigned pirq, bool level);

    std::string_view name() const override { return "piix3"; }
    void reset() override;
    bool restored() override;

private:
    void config_written(u8 offset, unsigned size) override;
    void update_irqs();

    std::array<bool, pirq_count> pirq_levels_{};
    u16 driven_ = 0;    // bit n: request n is driven high
    std::function<void(unsigned, bool)> irq_;
};

}
