// The floppy controller's commands that move data. A command is a row of stretches: the sectors of one track that lie
// together, read or written with one request, between which DMA or the host moves the bytes. 82078, 5.1.

#include <algorithm>

#include "engine/device/storage/floppy_controller.h"

namespace engine {

namespace {

// Command codes without MT, MFM and SK.
constexpr u8 write_code = 0x05, write_deleted_code = 0x09, read_deleted_code = 0x0c, format_code = 0x0d, verify_code = 0x16;
constexpr u8 command_mt = 0x80, command_mfm = 0x40, command_sk = 0x20;

// Parameters in the FIFO, where they stay until the result takes their place.
enum : unsigned { fifo_drive = 1, fifo_c, fifo_h, fifo_r, fifo_n, fifo_eot };
enum : unsigned { format_n = 2, format_count = 3, format_filler = 5 };

// 5.3: status registers 1 and 2.
constexpr u8 st1_end_of_cylinder = 0x80, st1_data_error = 0x20, st1_no_data = 0x04, st1_not_writable = 0x02,
             st1_missing_address = 0x01;
constexpr u8 st2_control_mark = 0x40, st2_data_error = 0x20, st2_wrong_cylinder = 0x10;

constexpr u8 configure_implied_seek = 0x40;
constexpr u8 size_code_512 = 2;
constexpr u32 sector_bytes = 512;
constexpr unsigned dma_channel = 2;
constexpr unsigned first_lamp = 4;

}

void FloppyController::result_of_transfer(u8 st0, u8 st1, u8 st2)
{
    dma_.set_request(dma_channel, false);
    result(
        {u8(st0 | s_.head << 2 | s_.drive), st1, st2, s_.fifo[fifo_c], s_.fifo[fifo_h], s_.fifo[fifo_r], s_.fifo[fifo_n]}, true);
}

void FloppyController::choose_drive()
{
    s_.drive = s_.fifo[fifo_drive] & 3;
    s_.head = s_.fifo[fifo_drive] >> 2 & 1;
    s_.multi_track = s_.command & command_mt;
    s_.terminal_count = false;
    s_.position = 0;
}

// Whether anything can be read where the head is.
bool FloppyController::legible() const
{
    if (!present(s_.drive) || !drives_[s_.drive].disk || !(s_.command & command_mfm))
        return false;
    const FloppyGeometry& geometry = drives_[s_.drive].geometry;
    return geometry.rates >> s_.rate & 1 && s_.cylinder[s_.drive] < geometry.cylinders && s_.head < geometry.heads;
}

bool FloppyController::locate()
{
    if (s_.configuration & configure_implied_seek && present(s_.drive) && drives_[s_.drive].disk) {
        s_.cylinder[s_.drive] = std::min<u8>(s_.fifo[fifo_c], 84);
        s_.changed[s_.drive] = 0;
    }
    if (!legible())
        fail(st1_missing_address);
    else if (s_.fifo[fifo_c] != s_.cylinder[s_.drive])
        fail(st1_no_data, st2_wrong_cylinder);
    else if (s_.fifo[fifo_h] != s_.head || s_.fifo[fifo_n] != size_code_512)
        fail(st1_no_data);
    else if (s_.fifo[fifo_r] == 0 || s_.fifo[fifo_r] > drives_[s_.drive].geometry.sectors)
        fail(st1_no_data);
    else
        return true;
    return false;
}

void FloppyController::begin_transfer(bool writes)
{
    choose_drive();
    if (!locate())
        return;
    if (writes && drives_[s_.drive].disk->read_only())
        return fail(st1_not_writable);
    s_.sector = s_.fifo[fifo_r];
    s_.end_of_track = s_.last_sector = s_.fifo[fifo_eot];
    next_stretch();
}

void FloppyController::read_data()
{
    begin_transfer(false);
}
void FloppyController::verify()
{
    begin_transfer(false);
}
void FloppyController::write_sectors()
{
    begin_transfer(true);
}

void FloppyController::read_track()
{
    s_.fifo[fifo_r] = 1;
    begin_transfer(false);
}

// 5.1.2: there are no deleted sectors, so the first one met ends the command, or all are skipped.
void FloppyController::read_deleted()
{
    s_.fifo[fifo_eot] = s_.fifo[fifo_r];
    if (!(s_.command & command_sk))
        return begin_transfer(false);
    choose_drive();
    if (locate())
        fail(st1_no_data);
}

void FloppyController::read_id()
{
    choose_drive();
    s_.fifo[fifo_c] = s_.cylinder[s_.drive];
    s_.fifo[fifo_h] = s_.head;
    s_.fifo[fifo_n] = size_code_512;
    if (!legible()) {
        s_.fifo[fifo_r] = 0;
        return fail(st1_missing_address);
    }
    s_.rotation = u8(s_.rotation % drives_[s_.drive].geometry.sectors + 1);
    s_.fifo[fifo_r] = s_.rotation;
    result_of_transfer(0, 0, 0);
}

void FloppyController::format_track()
{
    choose_drive();
    if (!legible())
        return fail(st1_missing_address);
    if (drives_[s_.drive].disk->read_only())
        return fail(st1_not_writable);
    if (s_.fifo[format_n] != size_code_512 || s_.fifo[format_count] == 0)
        return fail(st1_no_data);
    s_.buffer.assign(s_.fifo[format_count] * 4u, 0);
    s_.phase = Phase::data_out;
    offer_data();
}

void FloppyController::next_stretch()
{
    const u8 on_track = drives_[s_.drive].geometry.sectors;
    const u8 last = s_.last_sector < s_.sector ? on_track : std::min(s_.last_sector, on_track);
    s_.sectors = u8(last - s_.sector + 1);
    s_.position = 0;
    if (!is(write_code) && !is(write_deleted_code))
        return send_request(BlockOperation::read);
    s_.buffer.assign(s_.sectors * sector_bytes, 0);
    s_.phase = Phase::data_out;
    offer_data();
}

void FloppyController::offer_data()
{
    if (!by_dma())
        return set_interrupt(true);
    dma_.set_request(dma_channel, true);
    go_on();
}

// Moves what DMA takes or gives now. Also when the guest has made the channel ready.
void FloppyController::go_on()
{
    const bool in = s_.phase == Phase::data_in;
    if (!by_dma() || (!in && s_.phase != Phase::data_out))
        return;
    const auto rest = std::span(s_.buffer).subspan(s_.position);
    const u32 moved = in ? dma_.transfer_to_memory(dma_channel, rest) : dma_.transfer_from_memory(dma_channel, rest);
    s_.position += moved;
    const bool end = moved > 0 && dma_.terminal_count(dma_channel);
    if (end || s_.position >= s_.buffer.size())
        data_complete(end);
}

void FloppyController::data_moved()
{
    if (s_.position >= s_.buffer.size())
        data_complete(false);
    else
        set_interrupt(true);
}

// The host is done with the stretch, or with everything. What it touched of a last sector counts as all of it.
void FloppyController::data_complete(bool terminal_count)
{
    s_.terminal_count = terminal_count;
    if (is(format_code)) {
        s_.sector = 1;
        s_.sectors = drives_[s_.drive].geometry.sectors;
        s_.buffer.assign(s_.sectors * sector_bytes, s_.fifo[format_filler]);
        return send_request(BlockOperation::write);
    }
    s_.sectors = u8((s_.position + sector_bytes - 1) / sector_bytes);
    if (s_.phase == Phase::data_in)
        return stretch_done();
    s_.buffer.resize(s_.sectors * sector_bytes);
    send_request(BlockOperation::write);
}

void FloppyController::stretch_done()
{
    if (is(format_code))
        return result_of_transfer(0, 0, 0);
    const u8 done = u8(s_.sector + s_.sectors - 1);
    next_address(done);
    const u8 st2 = is(read_deleted_code) ? st2_control_mark : 0;
    if (s_.terminal_count)
        return result_of_transfer(0, 0, st2);
    const FloppyGeometry& geometry = drives_[s_.drive].geometry;
    if (done < s_.last_sector && done >= geometry.sectors)
        return fail(st1_no_data, st2);
    if (s_.multi_track && s_.head == 0 && geometry.heads > 1) {
        s_.head = 1;
        s_.sector = 1;
        return next_stretch();
    }
    if (is(verify_code) || is(read_deleted_code))
        return result_of_transfer(0, 0, st2);
    // No TC by the end of the cylinder is an error, and what every transfer without DMA ends with.
    fail(st1_end_of_cylinder, st2);
}

// 5.1.1, table 5-6: the address after the last sector that was moved.
void FloppyController::next_address(u8 done)
{
    s_.fifo[fifo_r] = u8(done + 1);
    s_.fifo[fifo_h] = s_.head;
    if (done != s_.last_sector)
        return;
    s_.fifo[fifo_r] = 1;
    if (s_.multi_track && s_.head == 0) {
        s_.fifo[fifo_h] = 1;
        return;
    }
    s_.fifo[fifo_c] = u8(s_.cylinder[s_.drive] + 1);
    if (s_.multi_track)
        s_.fifo[fifo_h] = 0;
}

u64 FloppyController::image_offset() const
{
    const FloppyGeometry& geometry = drives_[s_.drive].geometry;
    const u64 track = u64(s_.cylinder[s_.drive]) * geometry.heads + s_.head;
    return (track * geometry.sectors + s_.sector - 1) * sector_bytes;
}

void FloppyController::send_request(BlockOperation operation)
{
    const bool writes = operation == BlockOperation::write;
    s_.phase = writes ? Phase::writing : Phase::reading;
    BlockDevice& disk = *drives_[s_.drive].disk;
    const u64 offset = image_offset(), wanted = s_.sectors * sector_bytes;
    if (!staging_ || staging_.use_count() > 1)
        staging_ = std::make_shared<std::vector<u8>>();
    if (writes)
        *staging_ = s_.buffer;
    else
        staging_->assign(wanted, 0);
    // Beyond the end of an image that was cut short there are zeroes.
    const u64 there = disk.size() > offset ? disk.size() - offset : 0;
    const u64 length = writes ? wanted : std::min(wanted, there);
    if (wires_.active)
        wires_.active(first_lamp + s_.drive, writes);
    const CancelToken token = requests_.token();
    if (length == 0)
        return wires_.completions.post(token, [this] { completed({}); });
    BlockRequest request{.operation = operation, .offset = offset, .length = length, .memory = staging_};
    request.segments = {std::span(*staging_).first(length)};
    disk.submit(std::move(request), token, [this, token, &completions = wires_.completions](BlockResult result) {
        completions.post(token, [this, result = std::move(result)] { completed(result); });
    });
}

void FloppyController::completed(const BlockResult& result)
{
    if (!result.ok())
        return request_failed(result);
    if (s_.phase == Phase::writing)
        return stretch_done();
    std::swap(s_.buffer, *staging_);
    if (is(verify_code))
        return stretch_done();
    s_.phase = Phase::data_in;
    s_.position = 0;
    offer_data();
}

void FloppyController::request_failed(const BlockResult& result)
{
    if (result.fault == BlockFault::no_space) {
        s_.phase = Phase::stopped;
        if (wires_.on_stopped_by_host)
            wires_.on_stopped_by_host(result.error);
        return;
    }
    if (result.fault == BlockFault::read_only)
        return fail(st1_not_writable);
    if (result.fault == BlockFault::out_of_range)
        return fail(st1_no_data);
    fail(st1_data_error, st2_data_error);
}

void FloppyController::retry_failed()
{
    if (s_.phase == Phase::stopped)
        send_request(BlockOperation::write);
}

}
