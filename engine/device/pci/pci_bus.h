#pragma once
// PCI bus 0 and its configuration mechanism #1. PCI Local Bus Specification 3.0, 3.2.2.3.2.
//
// INTx# pins are swizzled over the PIRQs as on a PIIX board: device 1's INTA# is PIRQA#, device 2's INTA# PIRQB# and so
// on. Firmware, $PIR and _PRT tables all have to agree with pirq_of().
// Not modelled: bridges (type 1 cycles to other buses read as all ones), special cycles.

#include <array>
#include <functional>

#include "engine/device/device.h"
#include "engine/device/pci/pci_function.h"
#include "engine/memory/port_space.h"

namespace engine {

class PciBus final : public Device {
public:
    static constexpr unsigned device_count = 32, function_count = 8, pirq_count = 4;

    // Hears changes of the wired-OR of all INTx# pins on PIRQ 0 to 3 (A to D).
    explicit PciBus(std::function<void(unsigned pirq, bool level)> pirq);

    // The function outlives the bus's use.
    void add(unsigned device, unsigned function, PciFunction& pci_function);
    // Ports cf8-cff. A reset control at cf9 has to be claimed after this, or it is hidden.
    void claim(PortSpace& ports);

    // `pin` counts from 0 (INTA#).
    static constexpr unsigned pirq_of(unsigned device, unsigned pin) { return (device + pin + 3) & 3; }

    u32 read_config(unsigned device, unsigned function, u8 offset, unsigned size);
    void write_config(unsigned device, unsigned function, u8 offset, u32 value, unsigned size);

    struct State {
        u32 config_address = 0;
    };

    std::string_view name() const override { return "pci"; }
    void reset() override { s_ = {}; }
    void visit(StateVisitor& visitor) override;
    bool restored() override;

private:
    struct AddressPort final : IoHandler {
        explicit AddressPort(PciBus& owner) : bus(owner) { }
        u64 read(u64 offset, unsigned size) override;
        void write(u64 offset, u64 value, unsigned size) override;
        PciBus& bus;
    };
    struct DataPort final : IoHandler {
        explicit DataPort(PciBus& owner) : bus(owner) { }
        u64 read(u64 offset, unsigned size) override;
        void write(u64 offset, u64 value, unsigned size) override;
        PciBus& bus;
    };
    struct Slot {
        PciFunction* function = nullptr;
        bool asserted = false;
    };

    Slot& slot(unsigned device, unsigned function) { return slots_[device * function_count + function]; }
    bool multi_function(unsigned device) const;
    void update_interrupt(unsigned device, unsigned function);

    State s_;
    std::array<Slot, device_count * function_count> slots_{};
    std::array<unsigned, pirq_count> asserted_{};
    std::function<void(unsigned, bool)> pirq_;
    AddressPort address_port_{*this};
    DataPort data_port_{*this};
};

}
