#pragma once
// What an ATA disk and an ATAPI drive have in common: the task file of one device on the cable, the data port, the
// device's end of a DMA transfer, and its way to the image. ATA/ATAPI-6 (T13 1410D), chapters 6 to 9.
//
// A command is a chain of data blocks and block requests. `phase` says what the device waits for; all that is needed to
// go on after a snapshot, or after the host made room, is in Registers.
// Not modelled: overlapped and queued commands, and the time a mechanism takes.

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/block/block_device.h"
#include "engine/device/storage/drive_wires.h"
#include "engine/state/state_visitor.h"

namespace engine {

// The controller's end of a DMA transfer. Both move what the guest's descriptors take and return how many bytes that
// was: 0 while the guest has not started the engine.
class AtaBusMaster {
public:
    virtual ~AtaBusMaster() = default;
    virtual u32 to_memory(std::span<const u8> bytes) = 0;
    virtual u32 from_memory(std::span<u8> bytes) = 0;
};

// The cable, as a device sees it.
class AtaCable : public AtaBusMaster {
public:
    // A device's INTRQ may have changed.
    virtual void interrupt_changed() = 0;
};

class AtaDevice {
public:
    enum class Phase : u8 {
        idle,
        data_in,    // the host reads the data port
        data_out,    // the host writes the data port
        dma_in,    // the bus master may take data
        dma_out,    // the bus master may give data
        waiting,    // a block request is under way
        stopped,    // a block request waits for the host's user
    };

    struct Registers {
        u8 feature = 0, count = 1, lba_low = 1, lba_mid = 0, lba_high = 0, device = 0;
        // What the 48-bit registers held before their last write; read with HOB set.
        u8 feature_before = 0, count_before = 0, lba_low_before = 0, lba_mid_before = 0, lba_high_before = 0;
        u8 status = 0x50;
        u8 error = 1;
        bool intrq = false;
        Phase phase = Phase::idle;
        u32 block_size = 512;    // bytes between two DRQs
        u32 position = 0;    // in the buffer
        u32 block_end = 0;    // of the block that the host moves now
        BlockOperation operation = BlockOperation::read;
        bool durable = false;
        u64 request_offset = 0;
        u64 request_length = 0;
        std::vector<u8> buffer{};
    };

    // Status register.
    static constexpr u8 status_bsy = 0x80, status_drdy = 0x40, status_df = 0x20, status_dsc = 0x10, status_drq = 0x08,
                        status_err = 0x01;
    // Error register.
    static constexpr u8 error_unc = 0x40, error_idnf = 0x10, error_abrt = 0x04;

    AtaDevice(std::string name, unsigned drive, AtaCable& cable, DriveWires wires);
    virtual ~AtaDevice() = default;
    AtaDevice(const AtaDevice&) = delete;
    AtaDevice& operator=(const AtaDevice&) = delete;

    const std::string& name() const { return name_; }

    // The channel's side of the registers. `offset` 1 to 7.
    u8 read_register(unsigned offset, bool high_order) const;
    void write_register(unsigned offset, u8 value);
    void write_command(u8 command);
    u8 status() const { return r_.status; }
    bool intrq() const { return r_.intrq; }
    void acknowledge_interrupt() { r_.intrq = false; }
    void raise_interrupt() { set_interrupt(); }
    bool busy() const { return r_.status & status_bsy; }

    u32 read_data(unsigned size)
    {
        u32 value = 0;
        if (r_.phase != Phase::data_in)
            return value;
        const u32 count = std::min<u32>(size, r_.block_end - r_.position);
        std::memcpy(&value, r_.buffer.data() + r_.position, count);
        r_.position += count;
        if (r_.position == r_.block_end)
            block_read();
        return value;
    }
    void write_data(u32 value, unsigned size)
    {
        if (r_.phase != Phase::data_out)
            return;
        const u32 count = std::min<u32>(size, r_.block_end - r_.position);
        std::memcpy(r_.buffer.data() + r_.position, &value, count);
        r_.position += count;
        if (r_.position == r_.block_end)
            block_written();
    }

    // The bus master was started: goes on with a DMA transfer that waits for it.
    void bus_master_started();

    // Power-on or hardware reset; software reset and EXECUTE DEVICE DIAGNOSTIC. All cancel what is under way.
    virtual void reset();
    virtual void soft_reset();
    void begin_soft_reset();    // SRST is set: busy until it is cleared
    void diagnose();

    // Repeats the request that stopped on the host's side, if there is one.
    void retry_failed();
    bool stopped() const { return r_.phase == Phase::stopped; }

    virtual void visit(StateVisitor& visitor);
    virtual bool restored();

protected:
    // The image, or null.
    virtual BlockDevice* medium() = 0;
    virtual void execute(u8 command) = 0;
    virtual bool accepts_while_busy(u8) const { return false; }
    // The registers that tell what kind of device this is.
    virtual void put_signature() = 0;
    // A data block of `length` bytes is about to be offered.
    virtual void announce_block(u32 length) { (void)length; }
    // What was begun is done.
    virtual void data_in_done() = 0;
    virtual void data_out_done() = 0;
    virtual void request_done(BlockFault fault) = 0;

    // Hand out what is in the buffer. Data-in blocks each interrupt.
    void begin_data_in(u32 block_size);
    void begin_dma_in();
    // Fill the buffer with `length` bytes. The first data-out block interrupts only if asked to.
    void begin_data_out(u32 length, u32 block_size, bool interrupt);
    void begin_dma_out(u32 length);
    // Reads come to the buffer, writes leave from it.
    void request(BlockOperation operation, u64 offset, u64 length, bool durable = false);

    void finish(u8 status, u8 error = 0);    // ends the command, with an interrupt
    void abort_command() { finish(status_drdy | status_dsc | status_err, error_abrt); }
    void set_interrupt();
    void cancel();

    static void put_text(std::span<u16> words, std::string_view text);

    Registers r_;
    AtaCable& cable_;
    DriveWires wires_;
    std::string name_;
    unsigned drive_;

private:
    void offer_block(bool interrupt);
    void block_read();
    void block_written();
    void continue_dma();
    void send_request();
    void completed(const BlockResult& result);

    std::shared_ptr<std::vector<u8>> staging_;    // what the worker reads into or writes from
    CancelSource requests_;
};

}
