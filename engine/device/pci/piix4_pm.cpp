#include "engine/device/pci/piix4_pm.h"

#include "engine/base/bits.h"

namespace engine {

namespace {
// 290562, 7.1: configuration space
constexpr u8 config_status = 0x06, pmba = 0x40, count_a = 0x44, device_resources = 0x50, device_activity_b = 0x58,
             pm_region_misc = 0x80, smbba = 0x90, smbus_host_config = 0xd2;
constexpr u8 pm_io_enable = 0x01, smbus_enable = 0x01;
constexpr u8 apmc_enable = 0x02;    // DEVACTB bit 25, seen in byte 0x5b
constexpr unsigned pm_port_count = 64;

// 7.2: power management I/O space
enum PmRegister : u64 { pmsts_at = 0x00, pmen_at = 0x02, pmcntrl_at = 0x04, pmtmr_at = 0x08, stored_at = 0x0c, pm_end = 0x40 };
constexpr u16 sts_timer = 0x0001, sts_power_button = 0x0100, sts_clearable = 0x8d20;
constexpr u16 en_writable = 0x0521, sci_events = 0x0521;
constexpr u16 cntrl_sci_enable = 0x0001;
constexpr u8 cntrl_low_writable = 0x03;    // GBL_RLS is write-only
constexpr u8 cntrl_high_sleep_enable = 0x20, cntrl_high_sleep_type = 0x1c;
constexpr unsigned timer_bits = 24;
}

Piix4Pm::Piix4Pm(Wires wires)
    : PciFunction(wires.pci, {.vendor = 0x8086, .device = 0x7113, .class_code = 0x068000, .revision = 3, .interrupt_pin = 1}),
      board_(std::move(wires)),
      sci_([this](bool level) { board_.sci(level); }),
      overflow_(board_.deadlines, [this] { update_sci(); })
{
    define_config16(config_status, 0x0280, 0);
    define_config16(pmba, 0x0001, 0xffc0);
    for (unsigned at = count_a; at < device_resources + 0x30; ++at)
        define_config(u8(at), 0, 0xff);
    define_config(pm_region_misc, 0, pm_io_enable);
    define_config16(smbba, 0x0001, 0xfff0);
    for (unsigned n = 0; n < 4; ++n)
        define_config(u8(smbus_host_config + n), 0, n == 0 ? 0x0f : 0xff);
    preset_smi();
}

void Piix4Pm::preset_smi()
{
    // Firmware that finds APMC_EN clear moves into SMM and waits for an SMI that a processor without SMM never takes.
    if (!board_.smi)
        set_config(device_activity_b + 3, apmc_enable);
}

void Piix4Pm::claim(PortSpace& ports)
{
    ports.claim(apm_control, 2, apm_ports_);
    ports.claim(gpe0_base, 4, gpe_ports_);
}

void Piix4Pm::place(IoHandler& handler, u16& placed, u16 wanted, unsigned count)
{
    if (placed == wanted)
        return;
    if (placed)
        wires_.ports.release(placed, count, handler);
    if (wanted)
        wires_.ports.claim(wanted, count, handler, 4);
    placed = wanted;
}

void Piix4Pm::update_ports()
{
    // Decoded by their own enables alone: SeaBIOS leaves the command register's I/O bit to the operating system.
    place(pm_ports_, pm_at_, config(pm_region_misc) & pm_io_enable ? config16(pmba) & 0xffc0 : 0, pm_port_count);
    place(smbus_, smbus_at_, config(smbus_host_config) & smbus_enable ? config16(smbba) & 0xfff0 : 0, Piix4Smbus::port_count);
}

void Piix4Pm::config_written(u8, unsigned)
{
    update_ports();
}

u64 Piix4Pm::half_periods() const
{
    constexpr u64 second = 1'000'000'000;
    const u64 now = board_.deadlines.now();
    return (now / second * timer_hz + now % second * timer_hz / second) >> (timer_bits - 1);
}

u32 Piix4Pm::timer() const
{
    constexpr u64 second = 1'000'000'000;
    const u64 now = board_.deadlines.now();
    return u32((now / second * timer_hz + now % second * timer_hz / second) & low_mask(timer_bits));
}

u16 Piix4Pm::status() const
{
    return u16(s_.pmsts | (half_periods() != s_.timer_acknowledged ? sts_timer : 0));
}

u8 Piix4Pm::read_pm(u64 offset) const
{
    if (offset < pmen_at)
        return u8(status() >> (8 * (offset - pmsts_at)));
    if (offset < pmcntrl_at)
        return u8(s_.pmen >> (8 * (offset - pmen_at)));
    if (offset < pmcntrl_at + 2)
        return u8(s_.pmcntrl >> (8 * (offset - pmcntrl_at)));
    if (offset >= stored_at && offset < pm_end)
        return s_.stored[offset - stored_at];
    return 0;
}

u64 Piix4Pm::PmPorts::read(u64 offset, unsigned size)
{
    if (offset >= pmtmr_at && offset + size <= pmtmr_at + 4)
        return pm.timer() >> (8 * (offset - pmtmr_at));
    u64 value = 0;
    for (unsigned n = 0; n < size; ++n)
        value |= u64(pm.read_pm(offset + n)) << (8 * n);
    return value;
}

void Piix4Pm::PmPorts::write(u64 offset, u64 value, unsigned size)
{
    for (unsigned n = 0; n < size; ++n)
        pm.write_pm(offset + n, u8(value >> (8 * n)));
    pm.update_sci();
}

void Piix4Pm::write_pm(u64 offset, u8 value)
{
    if (offset < pmen_at) {
        const u16 cleared = u16(value << (8 * (offset - pmsts_at)));
        s_.pmsts &= u16(~(cleared & sts_clearable));
        if (cleared & sts_timer)
            s_.timer_acknowledged = half_periods();
    } else if (offset < pmcntrl_at) {
        const unsigned shift = unsigned(8 * (offset - pmen_at));
        s_.pmen = u16(((s_.pmen & ~(0xffu << shift)) | (unsigned(value) << shift)) & en_writable);
    } else if (offset == pmcntrl_at) {
        s_.pmcntrl = u16((s_.pmcntrl & 0xff00) | (value & cntrl_low_writable));
    } else if (offset == pmcntrl_at + 1) {
        write_control_high(value);
    } else if (offset >= stored_at && offset < pm_end) {
        s_.stored[offset - stored_at] = value;
    }
}

void Piix4Pm::write_control_high(u8 value)
{
    const u8 sleep_type = value & cntrl_high_sleep_type;
    s_.pmcntrl = u16((s_.pmcntrl & 0x00ff) | sleep_type << 8);
    if (value & cntrl_high_sleep_enable && sleep_type == 0)
        board_.power_off();
}

void Piix4Pm::update_sci()
{
    const bool fixed = status() & s_.pmen & sci_events;
    const bool general = s_.gpe_status & s_.gpe_enable;
    sci_.set(s_.pmcntrl & cntrl_sci_enable && (fixed || general));

    if (!(s_.pmen & sts_timer) || status() & sts_timer) {
        overflow_.cancel();
        return;
    }
    constexpr u64 second = 1'000'000'000;
    const u64 ticks = (half_periods() + 1) << (timer_bits - 1);
    overflow_.arm(ticks / timer_hz * second + (ticks % timer_hz * second + timer_hz - 1) / timer_hz);
}

void Piix4Pm::press_power_button()
{
    s_.pmsts |= sts_power_button;
    update_sci();
}

void Piix4Pm::raise_gpe(unsigned event)
{
    s_.gpe_status |= u16(1u << (event & 15));
    update_sci();
}

u8 Piix4Pm::read_gpe(u64 offset)
{
    const u32 both = s_.gpe_status | u32(s_.gpe_enable) << 16;
    return offset < 4 ? u8(both >> (8 * offset)) : 0xff;
}

void Piix4Pm::write_gpe(u64 offset, u8 value)
{
    const unsigned shift = unsigned(8 * (offset & 1));
    if (offset < 2)
        s_.gpe_status &= u16(~(unsigned(value) << shift));
    else if (offset < 4)
        s_.gpe_enable = u16((s_.gpe_enable & ~(0xffu << shift)) | unsigned(value) << shift);
    update_sci();
}

void Piix4Pm::write_apm(u64 offset, u8 value)
{
    if (offset != 0) {
        s_.apms = value;
        return;
    }
    s_.apmc = value;
    // Firmware's SMI handler would do this; SeaBIOS's leaves it to the board.
    if (value == acpi_enable)
        s_.pmcntrl |= cntrl_sci_enable;
    else if (value == acpi_disable)
        s_.pmcntrl &= u16(~cntrl_sci_enable);
    update_sci();
    if (board_.smi && config(device_activity_b + 3) & apmc_enable)
        board_.smi();
}

void Piix4Pm::reset()
{
    PciFunction::reset();
    preset_smi();
    s_ = {};
    s_.timer_acknowledged = half_periods();
    smbus_.reset();
    update_ports();
    update_sci();
}

void Piix4Pm::visit(StateVisitor& v)
{
    PciFunction::visit(v);
    auto& [pmsts, pmen, pmcntrl, timer_acknowledged, stored, gpe_status, gpe_enable, apmc, apms] = s_;
    v.field("pmsts", pmsts);
    v.field("pmen", pmen);
    v.field("pmcntrl", pmcntrl);
    v.field("timer_acknowledged", timer_acknowledged);
    v.field("stored", stored);
    v.field("gpe_status", gpe_status);
    v.field("gpe_enable", gpe_enable);
    v.field("apmc", apmc);
    v.field("apms", apms);
    v.group("smbus", smbus_);
}

bool Piix4Pm::restored()
{
    if (!PciFunction::restored() || !smbus_.restored())
        return false;
    s_.pmsts &= sts_clearable;
    s_.pmen &= en_writable;
    preset_smi();
    update_ports();
    update_sci();
    return true;
}

}
