#pragma once
// A CD/DVD drive on the ATA cable. ATA/ATAPI-6 (T13 1410D) for the PACKET protocol (8.23, 9.8), MMC-3 (T10 1363D) for the
// commands in the packets, SFF-8020i for what older guests still send.
//
// A disc holds one data track of 2048-byte sectors. Changing it goes as a person would: the old one is reported gone, then
// UNIT ATTENTION and the media event announce the new one.
// Not modelled: audio playback, sub-channel data in READ CD, EDC/ECC bytes of raw sectors (zeroes), writing, CSS keys.

#include <array>

#include "engine/device/storage/ata_device.h"

namespace engine {

class AtapiDrive final : public AtaDevice {
public:
    enum class Stage : u8 { none, packet, data_in, data_out };

    struct State {
        std::array<u8, 12> packet{};
        Stage stage = Stage::none;
        bool dma = false;    // of the packet under way
        u16 byte_limit = 0;
        u8 sense_key = 0, asc = 0, ascq = 0;
        u8 attention_asc = 0x29, attention_ascq = 0;    // pending UNIT ATTENTION; 0: none. 29: power on, reset
        bool tray_open = false, locked = false;
        bool absent_once = false;    // the disc was swapped and nobody has seen the empty drive yet
        bool event_removed = false, event_new = false, event_eject = false;
        u32 lba = 0, blocks_left = 0, chunk = 0;
        u8 fields = 0x10;    // of a sector, as in byte 9 of READ CD
        u8 dma_mode = 0x42;
        std::array<u8, 8> error_recovery{0x01, 0x06, 0x00, 0x05, 0, 0, 0, 0};
        std::array<u8, 16> audio_control{0x0e, 0x0e, 0x04, 0, 0, 0, 0, 75, 1, 0xff, 2, 0xff, 0, 0, 0, 0};
        u64 disc_bytes = 0;    // as of the last visit; by it a disc is told from the one that a snapshot was taken with
    };

    AtapiDrive(std::string name, unsigned drive, AtaCable& cable, DriveWires wires, std::unique_ptr<BlockDevice> disc);

    // Machine's lock held. Puts another disc (or none) into the drive, whether it is locked or not, and closes the tray.
    // Returns the old one; letting go of it may wait for the host.
    std::unique_ptr<BlockDevice> change_disc(std::unique_ptr<BlockDevice> disc);
    // Machine's lock held. Presses the eject button: opens the tray, or tells the guest that somebody wants the disc.
    void press_eject();
    bool locked() const { return s_.locked; }
    bool tray_open() const { return s_.tray_open; }
    const BlockDevice* disc() const { return disc_.get(); }
    // Called with the machine's lock held when the guest opens or closes the tray.
    void on_tray(std::function<void(bool open)> listener) { tray_listener_ = std::move(listener); }

    void reset() override;
    void soft_reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

protected:
    BlockDevice* medium() override { return disc_.get(); }
    void execute(u8 command) override;
    bool accepts_while_busy(u8 command) const override;
    void put_signature() override;
    void announce_block(u32 length) override;
    void data_in_done() override;
    void data_out_done() override;
    void request_done(BlockFault fault) override;

private:
    struct Packet {
        void (AtapiDrive::*run)() = nullptr;
        u8 traits = 0;
    };
    static const std::array<Packet, 256> packets;

    // ATA side.
    void begin_packet();
    void run_packet();
    void identify_packet_device();
    void device_reset();
    void set_features();
    bool ready();
    void good();
    void check_condition(u8 key, u8 asc, u8 ascq = 0);
    void invalid_field() { check_condition(5, 0x24); }
    void reply(std::vector<u8> bytes, u32 allocation_length);
    void send(u32 unit);
    void announce_disc(bool had_disc, bool was_reading);
    u32 drq_block(u32 unit) const;

    // Reading.
    void start_reading(u64 lba, u64 count, u8 fields);
    void next_chunk();
    u32 frame_size() const;
    void make_frames();

    // Commands, by MMC's names.
    void test_unit_ready();
    void request_sense();
    void inquiry();
    void start_stop_unit();
    void prevent_allow_medium_removal();
    void read_capacity();
    void read_10();
    void read_12();
    void read_cd();
    void read_cd_msf();
    void seek();
    void read_subchannel();
    void read_toc();
    void read_header();
    void get_configuration();
    void get_event_status();
    void read_disc_information();
    void read_track_information();
    void mode_select();
    void mode_parameters();
    void mode_sense();
    void mechanism_status();
    void read_dvd_structure();
    void get_performance();
    void nothing_to_do();
    void no_audio();

    std::vector<u8> mode_page(u8 code, u8 control) const;
    std::vector<u8> toc_full(u32 lead_out) const;
    void set_tray(bool open);
    u32 blocks() const;
    bool is_dvd() const;
    u16 packet16(unsigned at) const;
    u32 packet24(unsigned at) const;
    u32 packet32(unsigned at) const;

    State s_;
    std::unique_ptr<BlockDevice> disc_;
    std::function<void(bool)> tray_listener_;
};

}
