#pragma once
// An ATA hard disk. ATA/ATAPI-6 (T13 1410D), chapter 8; DATA SET MANAGEMENT and the words that announce it from ACS-2.
// It shows itself as a solid-state disk with 512-byte sectors, so that guests give back what they delete.
//
// Not modelled: queued, streaming, security, removable-media and host-protected-area commands, READ/WRITE LONG, SMART's
// logs and self-tests, and stand-by timers.

#include <array>

#include "engine/device/storage/ata_device.h"

namespace engine {

struct DiskIdentity {
    std::string model = "PADDOCK DISK";    // at most 40 characters
    std::string serial = "PD00000001";    // at most 20
    std::string firmware = "1.0";    // at most 8
};

class AtaDisk final : public AtaDevice {
public:
    struct State {
        u64 lba = 0;    // of the next sector to move
        u32 sectors_left = 0;
        u32 chunk = 0;    // sectors in the buffer or under way
        u8 command = 0;
        bool sector_by_sector = false;    // finding the bad sector of a chunk that failed
        u16 heads = 16, sectors_per_track = 63;    // as INITIALIZE DEVICE PARAMETERS left them
        u8 multiple = 16;    // 0: off
        u8 dma_mode = 0x42;    // as SET FEATURES' subcommand 03 has it
        bool write_cache = true, look_ahead = true, smart = true;
        bool asleep = false, standby = false;
        u64 trim_range = 0;    // next range of DATA SET MANAGEMENT, in the buffer
    };

    AtaDisk(
        std::string name, unsigned drive, AtaCable& cable, DriveWires wires, std::unique_ptr<BlockDevice> disk,
        DiskIdentity identity);

    u64 sectors() const { return disk_->size() / 512; }

    void reset() override;
    void soft_reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

protected:
    BlockDevice* medium() override { return disk_.get(); }
    void execute(u8 command) override;
    void put_signature() override;
    void data_in_done() override;
    void data_out_done() override;
    void request_done(BlockFault fault) override;

private:
    struct Command {
        void (AtaDisk::*run)() = nullptr;
        u8 traits = 0;
    };
    static const std::array<Command, 256> commands;

    void read_write();
    void verify();
    void seek();
    void recalibrate();
    void initialize_parameters();
    void identify();
    void set_features();
    void set_multiple();
    void flush();
    void read_native_max();
    void idle();
    void standby();
    void sleep();
    void check_power();
    void smart();
    void smart_read_data(bool thresholds);
    void data_set_management();

    bool has(u8 trait) const { return commands[s_.command].traits & trait; }
    bool load_address();
    void store_address(u64 lba);
    void next_chunk();
    void next_trim_range();
    void chunk_failed(BlockFault fault);
    void succeed();
    void reply(std::span<const u8> sector);
    u32 drq_block() const;
    u32 cylinders() const;
    std::array<u16, 256> identity_words() const;
    void put_abilities(std::array<u16, 256>& words) const;

    State s_;
    std::unique_ptr<BlockDevice> disk_;
    DiskIdentity identity_;
};

}
