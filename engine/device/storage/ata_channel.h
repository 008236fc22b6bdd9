#pragma once
// One ATA cable with up to two devices: which of them hears and answers, interrupts, soft reset. ATA/ATAPI-6 (T13 1410D),
// chapters 6 and 7; the two register blocks are those of the PC/AT (1f0-1f7 and 3f6, 170-177 and 376).
//
// A device that isn't there reads as zeroes, as device 0 answers for it (9.16.1), and so does a cable without devices:
// never busy, so that no one waits for it.

#include <array>
#include <functional>
#include <memory>

#include "engine/device/device.h"
#include "engine/device/irq_line.h"
#include "engine/device/storage/ata_device.h"

namespace engine {

class AtaChannel final : public AtaCable {
public:
    struct State {
        u8 control = 0;    // device control register
        u8 selected = 0;    // device 0 or 1
        bool high_order = false;    // HOB
    };

    // `intrq` is the cable's interrupt line, after nIEN.
    AtaChannel(IrqLine& intrq, AtaBusMaster& bus_master);

    // While no machine runs. `position` 0 (master) or 1 (slave).
    void attach(unsigned position, std::unique_ptr<AtaDevice> device) { devices_[position & 1] = std::move(device); }
    AtaDevice* device(unsigned position) const { return devices_[position & 1].get(); }

    // The eight command block registers; the data port is 1, 2 or 4 bytes wide, the others one.
    IoHandler& command_block() { return command_block_; }
    // The one control block register.
    IoHandler& control_block() { return control_block_; }

    // The bus master engine was started.
    void bus_master_started();

    void reset();
    void visit(StateVisitor& visitor);
    bool restored();

    void interrupt_changed() override;
    u32 to_memory(std::span<const u8> bytes) override { return bus_master_.to_memory(bytes); }
    u32 from_memory(std::span<u8> bytes) override { return bus_master_.from_memory(bytes); }

private:
    struct CommandBlock final : IoHandler {
        explicit CommandBlock(AtaChannel& owner) : channel(owner) { }
        u64 read(u64 offset, unsigned size) override;
        void write(u64 offset, u64 value, unsigned size) override;
        AtaChannel& channel;
    };
    struct ControlBlock final : IoHandler {
        explicit ControlBlock(AtaChannel& owner) : channel(owner) { }
        u64 read(u64 offset, unsigned size) override;
        void write(u64 offset, u64 value, unsigned size) override;
        AtaChannel& channel;
    };

    AtaDevice* selected() const { return devices_[s_.selected].get(); }
    u8 read_register(unsigned offset);
    void write_register(unsigned offset, u8 value);
    void write_command(u8 command);
    void write_control(u8 value);

    State s_;
    IrqLine& intrq_;
    AtaBusMaster& bus_master_;
    std::array<std::unique_ptr<AtaDevice>, 2> devices_;
    CommandBlock command_block_{*this};
    ControlBlock control_block_{*this};
};

}
