#pragma once
// Floppy disk controller with two drives: Intel 82078 data sheet (and 82077AA for what the PC/AT mode shares), ports
// 3f0-3f5 and 3f7, IRQ 6, DMA channel 2.
//
// Not modelled: the time that mechanics take (a seek is done when it is asked for), single density, sectors of other than
// 512 bytes, deleted-data marks, SAVE, RESTORE and SCAN, the PS/2 status registers 3f0/3f1 (they read as in AT mode). The
// disk change line is cleared by any seek or recalibration with a disk in the drive, whether the head moved or not.

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "engine/block/block_device.h"
#include "engine/device/device.h"
#include "engine/device/io_window.h"
#include "engine/device/irq_line.h"
#include "engine/device/isa/i8237.h"
#include "engine/device/storage/drive_wires.h"
#include "engine/device/storage/floppy_geometry.h"
#include "engine/memory/port_space.h"

namespace engine {

class FloppyController final : public Device {
public:
    static constexpr unsigned drive_count = 2;

    enum class Phase : u8 {
        command,    // the host writes a command and its parameters
        result,    // the host reads the result
        reading,    // a block request is under way …
        writing,
        stopped,    // … or waits for the host's user
        data_in,    // data goes to the host, by DMA or byte by byte
        data_out,
    };

    struct State {
        u8 dor = 0, tdr = 0, dsr = 0x02, rate = 2;
        Phase phase = Phase::command;
        std::array<u8, 16> fifo{};
        u8 fifo_index = 0, fifo_length = 0;
        std::array<u8, 4> cylinder{};    // PCN
        std::array<u8, 4> sense{};    // ST0 for SENSE INTERRUPT STATUS …
        u8 sense_pending = 0;    // … a bit a drive
        std::array<u8, 2> changed{1, 1};    // disk change lines
        u8 specify_1 = 0, specify_2 = 0;    // SRT/HUT, HLT/ND
        u8 configuration = 0x20, precompensation_track = 0;
        u8 perpendicular = 0, end_of_track = 0;
        bool locked = false;
        u8 rotation = 0;    // sector that READ ID met last
        // The transfer under way.
        u8 command = 0, drive = 0, head = 0, sector = 1, last_sector = 0;
        u8 sectors = 0;    // in the buffer or under way
        bool multi_track = false, terminal_count = false;
        u32 position = 0;
        std::vector<u8> buffer{};
        bool interrupt = false;
    };

    // `drives` 1 or 2 are there, with or without disks.
    FloppyController(IrqLine& irq6, I8237Pair& dma, DriveWires wires, unsigned drives = 1);

    void claim(PortSpace& ports);

    // Machine's lock held. Puts another disk (or none) into `drive`, of the given geometry, and returns the old one;
    // letting go of it may wait for the host.
    std::unique_ptr<BlockDevice> change_disk(unsigned drive, std::unique_ptr<BlockDevice> disk, FloppyGeometry geometry = {});
    const BlockDevice* disk(unsigned drive) const { return drive < drive_count ? drives_[drive].disk.get() : nullptr; }
    // For CMOS 10h: as the disk in it needs, 1.44 MB for an empty drive.
    FloppyDriveType drive_type(unsigned drive) const;

    // Repeats a request that stopped on the host's side.
    void retry_failed();

    std::string_view name() const override { return "floppy"; }
    void reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

private:
    struct Command {
        u8 value, mask;
        u8 length;    // bytes with parameters
        void (FloppyController::*run)();
    };
    static const std::array<Command, 24> commands;

    struct Drive {
        std::unique_ptr<BlockDevice> disk;
        FloppyGeometry geometry;
    };

    u8 read_port(u64 offset);
    void write_port(u64 offset, u8 value);
    u8 read_input(u64) { return direction_input(); }
    void write_rate(u64, u8 value) { s_.rate = value & 3; }
    void write_output(u8 value);
    void software_reset();
    u8 main_status() const;
    u8 direction_input() const;
    u8 read_fifo();
    void write_fifo(u8 value);
    void command_byte(u8 value);
    const Command* find(u8 first_byte) const;

    void result(std::initializer_list<u8> bytes, bool interrupt);
    void result_of_transfer(u8 st0, u8 st1, u8 st2);
    void set_interrupt(bool level);
    void update_interrupt();
    void moved_head(u8 drive, u8 cylinder, u8 extra);

    // Commands.
    void read_data();
    void read_deleted();
    void read_track();
    void write_sectors();
    void verify();
    void format_track();
    void read_id();
    void recalibrate();
    void sense_interrupt();
    void specify();
    void sense_drive();
    void seek();
    void relative_seek();
    void configure();
    void dump_registers();
    void version();
    void part_id();
    void lock();
    void perpendicular_mode();
    void drive_specification();
    void option();
    void power_down();
    void invalid();

    // Transfers.
    bool present(u8 drive) const { return drive < fitted_; }
    bool legible() const;
    bool is(u8 operation) const { return (s_.command & 0x1f) == operation; }
    bool by_dma() const { return !(s_.specify_2 & 1); }
    void choose_drive();
    bool locate();
    void begin_transfer(bool writes);
    void next_stretch();
    void offer_data();
    void go_on();
    void data_moved();
    void data_complete(bool terminal_count);
    void stretch_done();
    void next_address(u8 done);
    void send_request(BlockOperation operation);
    void completed(const BlockResult& result);
    void request_failed(const BlockResult& result);
    u64 image_offset() const;
    void fail(u8 st1, u8 st2 = 0) { result_of_transfer(0x40, st1, st2); }
    void cancel();

    State s_;
    IrqLine& irq_;
    I8237Pair& dma_;
    DriveWires wires_;
    std::array<Drive, drive_count> drives_;
    unsigned fitted_;
    IoWindow<FloppyController> ports_, input_;
    std::shared_ptr<std::vector<u8>> staging_;
    CancelSource requests_;
};

}
