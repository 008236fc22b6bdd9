#pragma once
// The IDE function of the PIIX3: two ATA channels at the PC/AT's ports, and a bus master engine for each. Intel 82371SB
// (PIIX3) data sheet, 2.3 and 2.7; Programming Interface for Bus Master IDE Controller, revision 1.0.
//
// A channel's ports answer while I/O space and the channel's decode bit in IDETIM are enabled, as firmware sets them.
// Not modelled: what the timings in IDETIM stand for. They are stored.

#include <array>
#include <memory>

#include "engine/device/pci/pci_function.h"
#include "engine/device/storage/ata_channel.h"
#include "engine/device/storage/ata_disk.h"
#include "engine/device/storage/atapi_drive.h"

namespace engine {

// One channel's bus master engine: takes the device's data through the guest's list of memory stretches (PRDs).
class BusMasterEngine final : public AtaBusMaster {
public:
    struct State {
        u8 command = 0;
        u8 status = 0;
        u32 table = 0;    // BMIDTP: address of the first descriptor
        u32 next_descriptor = 0;
        u32 address = 0;    // of the next byte in the current stretch
        u32 left = 0;    // bytes left there
        bool last = false;    // the current stretch is marked as the table's end

        void visit(StateVisitor& visitor);
    };

    explicit BusMasterEngine(AddressSpace& memory) : memory_(memory) { }

    // Offset 0 to 7 from the channel's start in BAR 4. `started` tells a write that set the engine going.
    u8 read(unsigned offset) const;
    void write(unsigned offset, u8 value, bool& started);
    // The channel's interrupt line went up.
    void interrupt_raised();

    u32 to_memory(std::span<const u8> bytes) override;
    u32 from_memory(std::span<u8> bytes) override;

    void reset() { s_ = {}; }
    void visit(StateVisitor& visitor) { s_.visit(visitor); }

private:
    template <class Byte, class Move> u32 transfer(std::span<Byte> bytes, Move move);
    bool next_stretch();
    void stop(bool failed);

    State s_;
    AddressSpace& memory_;
};

class Piix3Ide final : public PciFunction, private IoHandler {
public:
    // `irq14` and `irq15` are the interrupt controller's inputs.
    Piix3Ide(PciWires wires, IrqLine& irq14, IrqLine& irq15, DriveWires drive_wires);
    ~Piix3Ide() override;

    // While no machine runs. `drive`: 0 primary master, 1 primary slave, 2 secondary master, 3 secondary slave.
    AtaDisk& attach_disk(unsigned drive, std::unique_ptr<BlockDevice> disk, DiskIdentity identity = {});
    // `disc` may be null.
    AtapiDrive& attach_optical(unsigned drive, std::unique_ptr<BlockDevice> disc);
    AtaDevice* drive(unsigned drive) const { return channels_[drive >> 1 & 1].ata.device(drive); }

    // Machine's lock held: repeats what stopped because the host's disk was full.
    void retry_failed();

    std::string_view name() const override { return "ide"; }
    void reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

protected:
    void config_written(u8 offset, unsigned size) override;

private:
    struct Channel {
        Channel(AddressSpace& memory, IrqLine& irq);
        BusMasterEngine engine;
        IrqLine interrupt;
        AtaChannel ata;
        bool decoded = false;
        bool restoring = false;
    };

    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;
    void update_decoding();
    std::string drive_name(unsigned drive) const;

    DriveWires drive_wires_;
    std::array<Channel, 2> channels_;
};

}
