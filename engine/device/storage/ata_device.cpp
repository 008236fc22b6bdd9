#include "engine/device/storage/ata_device.h"

#include <algorithm>

#include "engine/base/bits.h"

namespace engine {

namespace {

// Command block registers, ATA/ATAPI-6, 7.2.
enum : unsigned { reg_error = 1, reg_count, reg_lba_low, reg_lba_mid, reg_lba_high, reg_device, reg_status };

constexpr std::size_t largest_buffer = 256 * 1024;

}

AtaDevice::AtaDevice(std::string name, unsigned drive, AtaCable& cable, DriveWires wires)
    : cable_(cable),
      wires_(std::move(wires)),
      name_(std::move(name)),
      drive_(drive)
{
}

u8 AtaDevice::read_register(unsigned offset, bool high_order) const
{
    switch (offset) {
    case reg_error:
        return r_.error;
    case reg_count:
        return high_order ? r_.count_before : r_.count;
    case reg_lba_low:
        return high_order ? r_.lba_low_before : r_.lba_low;
    case reg_lba_mid:
        return high_order ? r_.lba_mid_before : r_.lba_mid;
    case reg_lba_high:
        return high_order ? r_.lba_high_before : r_.lba_high;
    case reg_device:
        return r_.device;
    case reg_status:
        return r_.status;
    default:
        return 0xff;
    }
}

void AtaDevice::write_register(unsigned offset, u8 value)
{
    // 7.2.x: the host doesn't write while BSY or DRQ is set; the device then doesn't listen.
    if (r_.status & (status_bsy | status_drq))
        return;
    const auto shift_in = [value](u8& now, u8& before) { before = std::exchange(now, value); };
    switch (offset) {
    case reg_error:
        return shift_in(r_.feature, r_.feature_before);
    case reg_count:
        return shift_in(r_.count, r_.count_before);
    case reg_lba_low:
        return shift_in(r_.lba_low, r_.lba_low_before);
    case reg_lba_mid:
        return shift_in(r_.lba_mid, r_.lba_mid_before);
    case reg_lba_high:
        return shift_in(r_.lba_high, r_.lba_high_before);
    case reg_device:
        r_.device = value;
        return;
    default:
        return;
    }
}

void AtaDevice::write_command(u8 command)
{
    if (r_.status & (status_bsy | status_drq) && !accepts_while_busy(command))
        return;
    r_.intrq = false;
    r_.error = 0;
    r_.status = status_drdy | status_dsc;
    execute(command);
    cable_.interrupt_changed();
}

void AtaDevice::set_interrupt()
{
    r_.intrq = true;
    cable_.interrupt_changed();
}

void AtaDevice::finish(u8 status, u8 error)
{
    r_.phase = Phase::idle;
    r_.status = status;
    r_.error = error;
    set_interrupt();
}

void AtaDevice::offer_block(bool interrupt)
{
    const u32 left = u32(r_.buffer.size()) - r_.position;
    const u32 length = std::min(r_.block_size, left);
    r_.block_end = r_.position + length;
    r_.status = status_drdy | status_dsc | status_drq;
    announce_block(length);
    if (interrupt)
        set_interrupt();
}

void AtaDevice::begin_data_in(u32 block_size)
{
    r_.phase = Phase::data_in;
    r_.position = 0;
    r_.block_size = block_size;
    offer_block(true);
}

void AtaDevice::block_read()
{
    if (r_.position < r_.buffer.size())
        return offer_block(true);
    r_.phase = Phase::idle;
    r_.status = status_drdy | status_dsc;
    data_in_done();
}

void AtaDevice::begin_data_out(u32 length, u32 block_size, bool interrupt)
{
    r_.phase = Phase::data_out;
    r_.position = 0;
    r_.block_size = block_size;
    r_.buffer.resize(length);
    offer_block(interrupt);
}

void AtaDevice::block_written()
{
    if (r_.position < r_.buffer.size())
        return offer_block(true);
    r_.phase = Phase::idle;
    r_.status = status_bsy;
    data_out_done();
}

void AtaDevice::begin_dma_in()
{
    r_.phase = Phase::dma_in;
    r_.status = status_bsy;
    r_.position = 0;
    continue_dma();
}

void AtaDevice::begin_dma_out(u32 length)
{
    r_.phase = Phase::dma_out;
    r_.status = status_bsy;
    r_.position = 0;
    r_.buffer.resize(length);
    continue_dma();
}

void AtaDevice::bus_master_started()
{
    if (r_.phase == Phase::dma_in || r_.phase == Phase::dma_out)
        continue_dma();
}

void AtaDevice::continue_dma()
{
    const auto rest = std::span(r_.buffer).subspan(r_.position);
    const bool in = r_.phase == Phase::dma_in;
    r_.position += in ? cable_.to_memory(rest) : cable_.from_memory(rest);
    if (r_.position < r_.buffer.size())
        return;
    r_.phase = Phase::idle;
    in ? data_in_done() : data_out_done();
}

void AtaDevice::request(BlockOperation operation, u64 offset, u64 length, bool durable)
{
    r_.operation = operation;
    r_.request_offset = offset;
    r_.request_length = length;
    r_.durable = durable;
    send_request();
}

void AtaDevice::send_request()
{
    r_.phase = Phase::waiting;
    r_.status = status_bsy;
    BlockDevice* const disk = medium();
    const bool has_data = r_.operation == BlockOperation::read || r_.operation == BlockOperation::write;
    if (!disk || (has_data && r_.request_length > largest_buffer))
        return request_done(BlockFault::input_output);
    BlockRequest request{
        .operation = r_.operation, .offset = r_.request_offset, .length = r_.request_length, .durable = r_.durable};
    if (has_data) {
        // A worker may still be busy with the buffer of a request that was cancelled.
        if (!staging_ || staging_.use_count() > 1)
            staging_ = std::make_shared<std::vector<u8>>();
        if (r_.operation == BlockOperation::write)
            *staging_ = r_.buffer;
        staging_->resize(r_.request_length);
        request.segments = {*staging_};
        request.memory = staging_;
    }
    if (wires_.active && r_.operation != BlockOperation::flush)
        wires_.active(drive_, r_.operation != BlockOperation::read);
    const CancelToken token = requests_.token();
    disk->submit(std::move(request), token, [this, token, &completions = wires_.completions](BlockResult result) {
        completions.post(token, [this, result = std::move(result)] { completed(result); });
    });
}

void AtaDevice::completed(const BlockResult& result)
{
    if (result.fault == BlockFault::no_space) {
        r_.phase = Phase::stopped;
        if (wires_.on_stopped_by_host)
            wires_.on_stopped_by_host(result.error);
        return;
    }
    if (result.ok() && r_.operation == BlockOperation::read)
        std::swap(r_.buffer, *staging_);
    r_.phase = Phase::idle;
    request_done(result.fault);
}

void AtaDevice::retry_failed()
{
    if (r_.phase == Phase::stopped)
        send_request();
}

void AtaDevice::cancel()
{
    requests_.cancel();
    r_.phase = Phase::idle;
}

void AtaDevice::reset()
{
    requests_.cancel();
    r_ = {};
    put_signature();
}

void AtaDevice::begin_soft_reset()
{
    cancel();
    r_.status = status_bsy;
    r_.intrq = false;
}

void AtaDevice::soft_reset()
{
    cancel();
    r_.intrq = false;
    put_signature();
}

void AtaDevice::diagnose()
{
    cancel();
    put_signature();
}

// 8.15.8: two characters a word, the first one in the high byte, padded with blanks.
void AtaDevice::put_text(std::span<u16> words, std::string_view text)
{
    for (std::size_t n = 0; n < words.size() * 2; ++n) {
        const u8 character = n < text.size() && text[n] >= 0x20 && text[n] < 0x7f ? u8(text[n]) : u8(' ');
        words[n / 2] = n % 2 ? u16(words[n / 2] | character) : u16(character << 8);
    }
}

void AtaDevice::visit(StateVisitor& v)
{
    auto& [feature, count, lba_low, lba_mid, lba_high, device, feature_before, count_before, lba_low_before, lba_mid_before, lba_high_before, status, error, intrq, phase, block_size, position, block_end, operation, durable, request_offset, request_length, buffer]
        = r_;
    v.field("feature", feature);
    v.field("count", count);
    v.field("lba_low", lba_low);
    v.field("lba_mid", lba_mid);
    v.field("lba_high", lba_high);
    v.field("device", device);
    v.field("feature_before", feature_before);
    v.field("count_before", count_before);
    v.field("lba_low_before", lba_low_before);
    v.field("lba_mid_before", lba_mid_before);
    v.field("lba_high_before", lba_high_before);
    v.field("status", status);
    v.field("error", error);
    v.field("intrq", intrq);
    v.field("phase", phase);
    v.field("block_size", block_size);
    v.field("position", position);
    v.field("block_end", block_end);
    v.field("operation", operation);
    v.field("durable", durable);
    v.field("request_offset", request_offset);
    v.field("request_length", request_length);
    v.field("buffer", buffer, largest_buffer);
}

bool AtaDevice::restored()
{
    requests_.cancel();
    if (r_.phase > Phase::stopped || r_.operation > BlockOperation::write_zeroes || r_.buffer.size() > largest_buffer)
        return false;
    const bool moving = r_.phase == Phase::data_in || r_.phase == Phase::data_out;
    const bool dma = r_.phase == Phase::dma_in || r_.phase == Phase::dma_out;
    if (r_.block_size == 0 || (moving && (r_.position >= r_.block_end || r_.block_end > r_.buffer.size())))
        return false;
    if (dma && r_.position >= r_.buffer.size())
        return false;
    const bool pending = r_.phase == Phase::waiting || r_.phase == Phase::stopped;
    if (pending && r_.operation == BlockOperation::write && r_.buffer.size() != r_.request_length)
        return false;
    // What was under way when the state was saved begins again.
    if (r_.phase == Phase::waiting)
        send_request();
    return true;
}

}
