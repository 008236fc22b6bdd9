// Registers, phases and the commands that move no data. floppy_transfer.cpp has those that do.

#include "engine/device/storage/floppy_controller.h"

#include <algorithm>

#include "engine/base/bits.h"

namespace engine {

namespace {

// 82078, 2.1: registers from 3f0 (3f6 is the disk controller's).
constexpr u16 first_port = 0x3f0, input_port = 0x3f7;
constexpr unsigned port_count = 6;
enum : unsigned { reg_dor = 2, reg_tdr = 3, reg_msr_dsr = 4, reg_fifo = 5 };

constexpr u8 dor_not_reset = 0x04, dor_gate = 0x08;
constexpr u8 msr_rqm = 0x80, msr_dio = 0x40, msr_ndma = 0x20, msr_busy = 0x10;
constexpr u8 dsr_reset = 0x80;
constexpr u8 dir_changed = 0x80;
constexpr u8 st0_invalid = 0x80, st0_polling = 0xc0, st0_seek_end = 0x20, st0_equipment_check = 0x10, st0_abnormal = 0x40;
constexpr u8 st3_protected = 0x40, st3_ready = 0x20, st3_track_0 = 0x10, st3_two_sides = 0x08;
constexpr u8 configure_no_polling = 0x10, configure_defaults = 0x20;
constexpr u8 last_cylinder = 84;
constexpr u8 version_enhanced = 0x90, part_82078 = 0x41;
constexpr unsigned dma_channel = 2;
constexpr std::size_t largest_buffer = 64 * 1024;

}

// 82078, table 5-1.
const std::array<FloppyController::Command, 24> FloppyController::commands{{
    // clang-format off
    {0x02, 0x9f, 9, &FloppyController::read_track},
    {0x03, 0xff, 3, &FloppyController::specify},
    {0x04, 0xff, 2, &FloppyController::sense_drive},
    {0x05, 0x3f, 9, &FloppyController::write_sectors},           // WRITE DATA
    {0x06, 0x1f, 9, &FloppyController::read_data},
    {0x07, 0xff, 2, &FloppyController::recalibrate},
    {0x08, 0xff, 1, &FloppyController::sense_interrupt},
    {0x09, 0x3f, 9, &FloppyController::write_sectors},           // WRITE DELETED DATA
    {0x0a, 0xbf, 2, &FloppyController::read_id},
    {0x0c, 0x1f, 9, &FloppyController::read_deleted},
    {0x0d, 0xbf, 6, &FloppyController::format_track},
    {0x0e, 0xff, 1, &FloppyController::dump_registers},
    {0x0f, 0xff, 3, &FloppyController::seek},
    {0x10, 0xff, 1, &FloppyController::version},
    {0x12, 0xff, 2, &FloppyController::perpendicular_mode},
    {0x13, 0xff, 4, &FloppyController::configure},
    {0x14, 0x7f, 1, &FloppyController::lock},
    {0x16, 0x1f, 9, &FloppyController::verify},
    {0x17, 0xff, 2, &FloppyController::power_down},
    {0x18, 0xff, 1, &FloppyController::part_id},
    {0x33, 0xff, 2, &FloppyController::option},
    {0x8e, 0xff, 2, &FloppyController::drive_specification},
    {0x8f, 0xbf, 3, &FloppyController::relative_seek},
    {0x00, 0x00, 1, &FloppyController::invalid},
    // clang-format on
}};

FloppyController::FloppyController(IrqLine& irq6, I8237Pair& dma, DriveWires wires, unsigned drives)
    : irq_(irq6),
      dma_(dma),
      wires_(std::move(wires)),
      fitted_(std::min(drives, drive_count)),
      ports_(*this, &FloppyController::read_port, &FloppyController::write_port),
      input_(*this, &FloppyController::read_input, &FloppyController::write_rate)
{
    dma_.on_ready(dma_channel, [this] { go_on(); });
}

void FloppyController::claim(PortSpace& ports)
{
    ports.claim(first_port, port_count, ports_);
    ports.claim(input_port, 1, input_);
}

u8 FloppyController::read_port(u64 offset)
{
    switch (offset) {
    case reg_dor:
        return s_.dor;
    case reg_tdr:
        return u8(0xfc | s_.tdr);
    case reg_msr_dsr:
        return main_status();
    case reg_fifo:
        return read_fifo();
    default:
        return 0xff;
    }
}

void FloppyController::write_port(u64 offset, u8 value)
{
    switch (offset) {
    case reg_dor:
        return write_output(value);
    case reg_tdr:
        s_.tdr = value & 3;
        return;
    case reg_msr_dsr:
        s_.dsr = value & 0x7f;
        s_.rate = value & 3;
        if (value & dsr_reset)
            software_reset();
        return;
    case reg_fifo:
        return write_fifo(value);
    default:
        return;
    }
}

void FloppyController::write_output(u8 value)
{
    const u8 before = std::exchange(s_.dor, value);
    if (~value & before & dor_not_reset) {
        cancel();
        s_.interrupt = false;
    }
    if (value & ~before & dor_not_reset)
        software_reset();
    update_interrupt();
}

// 2.1.4.1 and 6.2: the drives are polled once after a reset, which interrupts; LOCK keeps the configuration.
void FloppyController::software_reset()
{
    cancel();
    if (!s_.locked) {
        s_.configuration = configure_defaults;
        s_.precompensation_track = 0;
    }
    s_.perpendicular &= 0x3c;
    s_.sense_pending = 0;
    s_.interrupt = false;
    if (s_.dor & dor_not_reset && !(s_.configuration & configure_no_polling)) {
        for (unsigned n = 0; n < s_.sense.size(); ++n)
            s_.sense[n] = u8(st0_polling | n);
        s_.sense_pending = 0x0f;
        s_.interrupt = true;
    }
    update_interrupt();
}

void FloppyController::set_interrupt(bool level)
{
    s_.interrupt = level;
    update_interrupt();
}

void FloppyController::update_interrupt()
{
    irq_.set(s_.interrupt && s_.dor & dor_gate && s_.dor & dor_not_reset);
}

u8 FloppyController::main_status() const
{
    if (!(s_.dor & dor_not_reset))
        return 0;
    switch (s_.phase) {
    case Phase::command:
        return u8(msr_rqm | (s_.fifo_index ? msr_busy : 0));
    case Phase::result:
        return msr_rqm | msr_dio | msr_busy;
    case Phase::data_in:
        return by_dma() ? msr_busy : u8(msr_rqm | msr_dio | msr_ndma | msr_busy);
    case Phase::data_out:
        return by_dma() ? msr_busy : u8(msr_rqm | msr_ndma | msr_busy);
    default:
        return by_dma() ? msr_busy : u8(msr_ndma | msr_busy);
    }
}

u8 FloppyController::direction_input() const
{
    const u8 drive = s_.dor & 3;
    return present(drive) && s_.changed[drive] ? dir_changed : 0;
}

u8 FloppyController::read_fifo()
{
    if (!(s_.dor & dor_not_reset))
        return 0;
    if (s_.phase == Phase::data_in && !by_dma()) {
        set_interrupt(false);
        const u8 byte = s_.buffer[s_.position++];
        data_moved();
        return byte;
    }
    if (s_.phase != Phase::result)
        return 0;
    set_interrupt(false);
    const u8 byte = s_.fifo[s_.fifo_index++];
    if (s_.fifo_index >= s_.fifo_length) {
        s_.phase = Phase::command;
        s_.fifo_index = s_.fifo_length = 0;
    }
    return byte;
}

void FloppyController::write_fifo(u8 value)
{
    if (!(s_.dor & dor_not_reset))
        return;
    if (s_.phase == Phase::data_out && !by_dma()) {
        set_interrupt(false);
        s_.buffer[s_.position++] = value;
        return data_moved();
    }
    if (s_.phase == Phase::command)
        command_byte(value);
}

const FloppyController::Command* FloppyController::find(u8 first_byte) const
{
    return &*std::ranges::find_if(commands, [&](const Command& c) { return (first_byte & c.mask) == c.value; });
}

// The index starts anew with each command and can't pass the command's length, which is below the FIFO's.
void FloppyController::command_byte(u8 value)
{
    if (s_.fifo_index == 0)
        s_.fifo_length = find(value)->length;
    s_.fifo[s_.fifo_index++] = value;
    const Command& command = *find(s_.fifo[0]);
    if (s_.fifo_index < s_.fifo_length)
        return;
    if (command.run == &FloppyController::drive_specification && !(value & 0x80) && s_.fifo_length < 6) {
        // 5.2.16: as many bytes as it takes, the last one has DONE set.
        ++s_.fifo_length;
        return;
    }
    s_.fifo_index = s_.fifo_length = 0;
    s_.command = s_.fifo[0];
    (this->*command.run)();
}

void FloppyController::result(std::initializer_list<u8> bytes, bool interrupt)
{
    std::ranges::copy(bytes, s_.fifo.begin());
    s_.phase = Phase::result;
    s_.fifo_index = 0;
    s_.fifo_length = u8(bytes.size());
    if (interrupt)
        set_interrupt(true);
}

void FloppyController::invalid()
{
    result({st0_invalid}, false);
}

void FloppyController::specify()
{
    s_.specify_1 = s_.fifo[1];
    s_.specify_2 = s_.fifo[2];
}

void FloppyController::sense_drive()
{
    const u8 drive = s_.fifo[1] & 3;
    const bool there = present(drive);
    const bool read_only = there && drives_[drive].disk && drives_[drive].disk->read_only();
    result(
        {u8((s_.fifo[1] & 7) | st3_ready | (there ? st3_two_sides : 0) | (read_only ? st3_protected : 0)
            | (there && s_.cylinder[drive] == 0 ? st3_track_0 : 0))},
        false);
}

void FloppyController::moved_head(u8 drive, u8 cylinder, u8 extra)
{
    s_.cylinder[drive] = cylinder;
    if (present(drive) && drives_[drive].disk)
        s_.changed[drive] = 0;
    s_.sense[drive] = u8(st0_seek_end | extra | drive);
    s_.sense_pending |= u8(1 << drive);
    set_interrupt(true);
}

void FloppyController::recalibrate()
{
    const u8 drive = s_.fifo[1] & 3;
    // Without a drive no one answers that the head has come to track 0.
    moved_head(drive, 0, present(drive) ? 0 : st0_equipment_check | st0_abnormal);
}

void FloppyController::seek()
{
    moved_head(s_.fifo[1] & 3, std::min(s_.fifo[2], last_cylinder), s_.fifo[1] & 4);
}

void FloppyController::relative_seek()
{
    const u8 drive = s_.fifo[1] & 3;
    const int steps = s_.command & 0x40 ? s_.fifo[2] : -int(s_.fifo[2]);
    moved_head(drive, u8(std::clamp(s_.cylinder[drive] + steps, 0, int(last_cylinder))), s_.fifo[1] & 4);
}

void FloppyController::sense_interrupt()
{
    for (unsigned n = 0; n < s_.sense.size(); ++n)
        if (s_.sense_pending & 1 << n) {
            s_.sense_pending &= u8(~(1 << n));
            set_interrupt(false);
            return result({s_.sense[n], s_.cylinder[n]}, false);
        }
    invalid();
}

void FloppyController::configure()
{
    s_.configuration = s_.fifo[2];
    s_.precompensation_track = s_.fifo[3];
}

void FloppyController::dump_registers()
{
    result(
        {s_.cylinder[0], s_.cylinder[1], s_.cylinder[2], s_.cylinder[3], s_.specify_1, s_.specify_2, s_.end_of_track,
         u8((s_.locked ? 0x80 : 0) | (s_.perpendicular & 0x3f)), s_.configuration, s_.precompensation_track},
        false);
}

void FloppyController::version()
{
    result({version_enhanced}, false);
}
void FloppyController::part_id()
{
    result({part_82078}, false);
}

void FloppyController::lock()
{
    s_.locked = s_.command & 0x80;
    result({u8(s_.locked ? 0x10 : 0)}, false);
}

void FloppyController::perpendicular_mode()
{
    // 5.2.12: the drive bits change only with OW.
    const u8 value = s_.fifo[1];
    s_.perpendicular = u8((value & 0x83) | (value & 0x80 ? value & 0x3c : s_.perpendicular & 0x3c));
}

void FloppyController::drive_specification() { }
void FloppyController::option() { }
void FloppyController::power_down()
{
    result({s_.fifo[1]}, false);
}

void FloppyController::cancel()
{
    requests_.cancel();
    s_.phase = Phase::command;
    s_.fifo_index = s_.fifo_length = 0;
    s_.position = 0;
    dma_.set_request(dma_channel, false);
}

FloppyDriveType FloppyController::drive_type(unsigned drive) const
{
    if (drive >= fitted_)
        return FloppyDriveType::none;
    return drives_[drive].disk ? drives_[drive].geometry.drive : FloppyDriveType::high_3_5;
}

std::unique_ptr<BlockDevice>
FloppyController::change_disk(unsigned drive, std::unique_ptr<BlockDevice> disk, FloppyGeometry geometry)
{
    if (drive >= drive_count)
        return disk;
    const bool busy = s_.phase != Phase::command && s_.phase != Phase::result && s_.drive == drive;
    if (busy)
        cancel();
    drives_[drive].geometry = geometry;
    std::swap(disk, drives_[drive].disk);
    s_.changed[drive] = 1;
    if (busy)
        fail(0x01);
    return disk;
}

void FloppyController::reset()
{
    cancel();
    s_ = {};
    update_interrupt();
}

void FloppyController::visit(StateVisitor& v)
{
    auto& [dor, tdr, dsr, rate, phase, fifo, fifo_index, fifo_length, cylinder, sense, sense_pending, changed, specify_1, specify_2, configuration, precompensation_track, perpendicular, end_of_track, locked, rotation, command, drive, head, sector, last_sector, sectors, multi_track, terminal_count, position, buffer, interrupt]
        = s_;
    v.field("dor", dor);
    v.field("tdr", tdr);
    v.field("dsr", dsr);
    v.field("rate", rate);
    v.field("phase", phase);
    v.field("fifo", fifo);
    v.field("fifo_index", fifo_index);
    v.field("fifo_length", fifo_length);
    v.field("cylinder", cylinder);
    v.field("sense", sense);
    v.field("sense_pending", sense_pending);
    v.field("changed", changed);
    v.field("specify_1", specify_1);
    v.field("specify_2", specify_2);
    v.field("configuration", configuration);
    v.field("precompensation_track", precompensation_track);
    v.field("perpendicular", perpendicular);
    v.field("end_of_track", end_of_track);
    v.field("locked", locked);
    v.field("rotation", rotation);
    v.field("command", command);
    v.field("drive", drive);
    v.field("head", head);
    v.field("sector", sector);
    v.field("last_sector", last_sector);
    v.field("sectors", sectors);
    v.field("multi_track", multi_track);
    v.field("terminal_count", terminal_count);
    v.field("position", position);
    v.field("buffer", buffer, largest_buffer);
    v.field("interrupt", interrupt);
}

bool FloppyController::restored()
{
    requests_.cancel();
    const bool fifo = s_.fifo_index <= s_.fifo_length && s_.fifo_length <= s_.fifo.size()
        && (s_.phase != Phase::result || s_.fifo_index < s_.fifo_length)
        && (s_.phase != Phase::command || s_.fifo_length == 0 || s_.fifo_index < s_.fifo_length);
    const bool moving = s_.phase == Phase::data_in || s_.phase == Phase::data_out;
    const bool requested = s_.phase == Phase::reading || s_.phase == Phase::writing || s_.phase == Phase::stopped;
    const bool transfer = s_.drive < 4 && s_.head <= 1 && s_.sector >= 1 && s_.buffer.size() <= largest_buffer
        && (!moving || s_.position < s_.buffer.size()) && (!requested || s_.sectors >= 1)
        && (s_.phase == Phase::reading || !requested || s_.buffer.size() == s_.sectors * 512u);
    if (s_.phase > Phase::data_out || !fifo || !transfer)
        return false;
    if ((moving || requested) && (s_.drive >= drive_count || !drives_[s_.drive].disk))
        return false;
    update_interrupt();
    // What was under way when the state was saved begins again.
    if (s_.phase == Phase::reading)
        send_request(BlockOperation::read);
    else if (s_.phase == Phase::writing)
        send_request(BlockOperation::write);
    return true;
}

}
