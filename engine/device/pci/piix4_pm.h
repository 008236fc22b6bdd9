#pragma once
// PIIX4 (82371AB) function 3: ACPI power management, the APM control ports and the SMBus. Intel data sheet 290562,
// chapter 7; ACPI 1.0, 4.7.
//
// The PM timer follows the virtual clock; its status bit and the SCI are computed from it. S5 is SLP_TYP 0.
// The general purpose events stand at afe0, where this board's FADT says (the chip's own GPSTS/GPEN are not connected).
// Not modelled: device monitors, throttling and C-states (registers are stored), S1 to S4, GBL_RLS.

#include <functional>

#include "engine/device/io_window.h"
#include "engine/device/pci/pci_function.h"
#include "engine/device/pci/piix4_smbus.h"
#include "engine/time/deadline_queue.h"

namespace engine {

class Piix4Pm final : public PciFunction {
public:
    static constexpr u16 pm_base = 0x600, smbus_base = 0x700;    // where SeaBIOS puts them
    static constexpr u16 gpe0_base = 0xafe0, apm_control = 0xb2;
    static constexpr u8 acpi_enable = 0xf1, acpi_disable = 0xf0, sci_irq = 9;
    static constexpr unsigned timer_hz = 3579545;

    struct Wires {
        PciWires pci;
        DeadlineQueue& deadlines;
        std::function<void(bool level)> sci;    // IRQ 9, level
        std::function<void()> smi;    // null where processors have no SMM: APMC_EN then reads as set
        std::function<void()> power_off;    // the guest entered S5
    };
    explicit Piix4Pm(Wires wires);

    // The fixed ports: b2, b3 and the GPE block.
    void claim(PortSpace& ports);

    // Machine's lock held.
    void press_power_button();
    void raise_gpe(unsigned event);

    struct State {
        u16 pmsts = 0;    // TMR_STS is computed
        u16 pmen = 0;
        u16 pmcntrl = 0;
        u64 timer_acknowledged = 0;    // half periods of the PM timer whose TMR_STS has been cleared
        std::array<u8, 0x34> stored{};    // PMBASE + 0c to 3f: registers that only keep their value
        u16 gpe_status = 0;
        u16 gpe_enable = 0;
        u8 apmc = 0;
        u8 apms = 0;
    };

    std::string_view name() const override { return "piix4_pm"; }
    void reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

private:
    struct PmPorts final : IoHandler {
        explicit PmPorts(Piix4Pm& owner) : pm(owner) { }
        u64 read(u64 offset, unsigned size) override;
        void write(u64 offset, u64 value, unsigned size) override;
        Piix4Pm& pm;
    };
    void config_written(u8 offset, unsigned size) override;
    void place(IoHandler& handler, u16& placed, u16 wanted, unsigned count);
    void update_ports();
    void preset_smi();

    u64 half_periods() const;
    u32 timer() const;
    u16 status() const;
    u8 read_pm(u64 offset) const;
    void write_pm(u64 offset, u8 value);
    void write_control_high(u8 value);
    u8 read_gpe(u64 offset);
    void write_gpe(u64 offset, u8 value);
    u8 read_apm(u64 offset) { return offset == 0 ? s_.apmc : s_.apms; }
    void write_apm(u64 offset, u8 value);
    void update_sci();

    State s_;
    Wires board_;
    Piix4Smbus smbus_;
    PmPorts pm_ports_{*this};
    IoWindow<Piix4Pm> gpe_ports_{*this, &Piix4Pm::read_gpe, &Piix4Pm::write_gpe};
    IoWindow<Piix4Pm> apm_ports_{*this, &Piix4Pm::read_apm, &Piix4Pm::write_apm};
    IrqLine sci_;
    Timer overflow_;
    u16 pm_at_ = 0, smbus_at_ = 0;    // 0: not decoded
};

}
