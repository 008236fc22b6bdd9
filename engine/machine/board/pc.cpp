#include "engine/machine/board/pc.h"

#include <ctime>

#include <unistd.h>

#include "engine/cpu/x86/cpuid.h"
#include "engine/device/display/glyph_reader.h"
#include "engine/machine/firmware/firmware_items.h"

namespace engine {

namespace {
// What hides what in the address space. The host bridge's segments (2) and SMM space (3) lie in between.
constexpr int ram_priority = 0, window_priority = 1, chip_priority = 4;

constexpr u64 four_gib = BoardDescription::four_gib;
constexpr u64 ioapic_base = 0xfec00000, ioapic_size = 0x1000, hpet_base = 0xfed00000, hpet_size = 0x400;

// Places on PCI bus 0
constexpr unsigned host_bridge_device = 0, south_bridge_device = 1, vga_device = 2;
constexpr unsigned isa_function = 0, ide_function = 1, pm_function = 3;
constexpr unsigned primary_master = 0, primary_slave = 1, secondary_master = 2;

// CMOS 0f: why the processor was reset, as the IBM PC AT's BIOS reads it.
constexpr unsigned cmos_shutdown_code = 0x0f;

constexpr u64 second = 1'000'000'000;
constexpr u64 refresh_interval = second / 60, idle_refresh_interval = second / 20;
constexpr unsigned refreshes_until_idle = 60;
}

PcBoard::PcBoard(PcParts parts, const Surroundings& surroundings)
    : around_(surroundings),
      parts_(std::move(parts)),
      memory_(&around_.machine_lock),
      ports_(&around_.machine_lock),
      ioapic_([this](const InterruptMessage& message) { return processors_->deliver(message); }),
      interrupts_(pic_, ioapic_),
      pit_(around_.deadlines, interrupts_.isa(0)),
      system_control_(
          {around_.deadlines.clock(), [this](bool gate) { pit_.set_gate(2, gate); }, [this] { return pit_.out(2); }, {}}),
      rtc_(around_.deadlines, interrupts_.isa(8), u64(std::time(nullptr))),
      hpet_(
          around_.deadlines,
          {[this](unsigned pin, bool level) { interrupts_.set_pin(pin, InterruptRouter::Source::hpet, level); },
           interrupts_.hpet_legacy(0), interrupts_.hpet_legacy(1), [this](bool active) { interrupts_.replace_timers(active); }}),
      reset_control_({[this](bool) { update_a20(); }, [this](ResetControl::Reset) { around_.host.request_reset(); }}),
      coprocessor_error_(interrupts_.isa(13)),
      generation_id_([this] { pm_->raise_gpe(VmGenerationId::event); }),
      dma_(memory_),
      keyboard_([this](u8 leds) { around_.listener.keyboard_leds(leds); }),
      i8042_(
          around_.deadlines,
          {interrupts_.isa(1), interrupts_.isa(12), keyboard_, mouse_,
           [this](bool enabled) {
               keyboard_a20_ = enabled;
               update_a20();
           },
           [this] { around_.host.request_reset(); }}),
      keys_(keyboard_),
      floppy_(interrupts_.isa(6), dma_, drive_wires()),
      pci_([this](unsigned pirq, bool level) { isa_bridge_->set_pirq(pirq, level); }),
      fw_cfg_(memory_),
      refresh_timer_(around_.deadlines, [this] { refresh_display(); })
{
}

PcBoard::~PcBoard() = default;

Result<std::unique_ptr<PcBoard>>
PcBoard::create(const MachineDefinition& definition, const Surroundings& surroundings, const MakeProcessors& make_processors)
{
    auto parts = gather_pc_parts(definition, surroundings.workers);
    if (!parts)
        return parts.error();
    std::unique_ptr<PcBoard> board(new PcBoard(std::move(*parts), surroundings));
    if (auto built = board->build(definition, make_processors); !built)
        return built.error();
    return board;
}

Result<void> PcBoard::build(const MachineDefinition& definition, const MakeProcessors& make_processors)
{
    Processors::Wires wires = processor_wires();
    wires.perf_map = definition.perf_map;
    auto processors = make_processors(definition.cpus, std::move(wires));
    if (!processors)
        return processors.error();
    processors_ = std::move(*processors);
    const u32 avx512 = x86::host_avx512_features();
    if (definition.avx512 && (!avx512 || !processors_->take_features(processors_->features() | avx512)))
        return Error{
            "The machine asks for AVX-512", "This computer's processor, or the accelerator, does not have it",
            "Start the machine without AVX-512"};
    pic_.intr().connect([this](bool level) { processors_->set_intr(level); });

    memory_.begin_changes();
    place_memory();
    auto added = add_pci_functions();
    if (added) {
        add_drives();
        add_serial(definition);
        if (definition.test_device)
            add_test_device();
        add_boot();
        claim_ports();
        list_devices();
    }
    memory_.end_changes();
    return added;
}

Processors::Wires PcBoard::processor_wires()
{
    return {
        memory_,
        ports_,
        around_.deadlines,
        around_.machine_lock,
        [this] { return pic_.acknowledge(); },
        [this](u8 vector) { ioapic_.end_of_interrupt(vector); },
        [this](bool level) { coprocessor_error_.set_ferr(level); }};
}

void PcBoard::place_memory()
{
    const u64 low = parts_.description.low_memory, high = parts_.description.high_memory;
    memory_.add_ram("RAM", 0, low, ram_priority, *parts_.ram, 0);
    if (high)
        memory_.add_ram("RAM above 4 GiB", four_gib, high, ram_priority, *parts_.ram, low);
    place_firmware();
    memory_.add_io("I/O APIC", ioapic_base, ioapic_size, chip_priority, ioapic_);
    memory_.add_io("HPET", hpet_base, hpet_size, chip_priority, hpet_);
    memory_.add_io("VM generation ID", VmGenerationId::base, VmGenerationId::size, chip_priority, generation_id_);
}

void PcBoard::place_firmware()
{
    const u64 base = four_gib - parts_.bios->size();
    if (!parts_.variables) {
        memory_.add_rom("BIOS", base, parts_.bios->size(), chip_priority, *parts_.bios, 0);
        return;
    }
    const auto changed = [this] {
        if (variable_store_)
            variable_store_->changed();
    };
    const ParallelFlash::Place code{memory_, base, chip_priority};
    const ParallelFlash::Place variables{memory_, base - parts_.variables->size(), chip_priority};
    firmware_flash_.emplace("flash.0", code, *parts_.bios, ParallelFlash::Lock::locked);
    variable_flash_.emplace(variable_chip, variables, *parts_.variables, ParallelFlash::Lock::open, changed);
    if (parts_.variable_file)
        variable_store_.emplace(
            std::move(*parts_.variable_file), *parts_.variables,
            VariableStore::Wires{around_.machine_lock, around_.workers, [this](const Error& error) {
                                     around_.host.request_pause();
                                     around_.listener.needs_attention(error);
                                 }});
}

Result<void> PcBoard::add_pci_functions()
{
    const PciWires wires{memory_, ports_};
    auto host_bridge = I440fx::create(wires, *parts_.ram, *parts_.bios);
    if (!host_bridge)
        return host_bridge.error();
    host_bridge_ = std::move(*host_bridge);
    isa_bridge_ = std::make_unique<Piix3Isa>(
        wires, [this](unsigned irq, bool level) { interrupts_.set_irq(irq, InterruptRouter::Source::pci, level); });
    ide_ = std::make_unique<Piix3Ide>(wires, interrupts_.isa(14), interrupts_.isa(15), drive_wires());
    pm_ = std::make_unique<Piix4Pm>(Piix4Pm::Wires{
        wires, around_.deadlines,
        [this](bool level) { interrupts_.set_irq(Piix4Pm::sci_irq, InterruptRouter::Source::power, level); },
        processors_->has_smm() ? [this] { processors_->vcpus().front()->raise_smi(); } : std::function<void()>(),
        [this] { around_.host.request_stop({.kind = StopReason::Kind::powered_off}); }});
    vga_ = std::make_unique<StdVga>(
        wires,
        StdVga::Parts{
            .video_memory = *parts_.video_memory,
            .rom = parts_.vga_bios.get(),
            .clock = around_.deadlines.clock(),
            .dirty_rounds = processors_->dirty_rounds(),
            .mailbox = frames_,
            .window_priority = window_priority});
    pci_.add(host_bridge_device, 0, *host_bridge_);
    pci_.add(south_bridge_device, isa_function, *isa_bridge_);
    pci_.add(south_bridge_device, ide_function, *ide_);
    pci_.add(south_bridge_device, pm_function, *pm_);
    pci_.add(vga_device, 0, *vga_);
    return {};
}

DriveWires PcBoard::drive_wires()
{
    return {
        around_.events, [this](unsigned drive, bool write) { around_.listener.disk_active(drive, write); },
        [this](const Error& error) {
            around_.host.request_pause();
            around_.listener.needs_attention(error);
        }};
}

void PcBoard::add_drives()
{
    constexpr std::array places{primary_master, primary_slave};
    for (std::size_t n = 0; n < parts_.disks.size() && n < places.size(); ++n) {
        disks_.push_back(parts_.disks[n].get());
        ide_->attach_disk(places[n], std::move(parts_.disks[n]), {.serial = "PD0000000" + std::to_string(n + 1)});
    }
    optical_ = &ide_->attach_optical(secondary_master, std::move(parts_.cdrom));
    floppy_.change_disk(0, std::move(parts_.floppy.image), parts_.floppy.geometry);
}

void PcBoard::add_serial(const MachineDefinition& definition)
{
    if (definition.serial != MachineDefinition::Serial::none)
        serial_.emplace("uart.0", around_.deadlines, interrupts_.isa(4), [this](std::string_view bytes) { write_serial(bytes); });
}

void PcBoard::write_serial(std::string_view bytes)
{
    if (!parts_.serial_file.valid())
        return around_.listener.serial_output(bytes);
    // A host whose disk is full loses serial output; the guest must not notice.
    while (!bytes.empty()) {
        const ssize_t written = ::write(parts_.serial_file.get(), bytes.data(), bytes.size());
        if (written <= 0)
            return;
        bytes.remove_prefix(std::size_t(written));
    }
}

void PcBoard::add_test_device()
{
    test_device_.emplace(TestDevice::Wires{
        [this](int code) { around_.host.request_stop({.kind = StopReason::Kind::guest_exit, .exit_code = code}); },
        [this](unsigned gsi, bool level) { interrupts_.set_irq(gsi, InterruptRouter::Source::test, level); }});
    debug_console_.emplace(around_.deadlines, [this](std::string_view bytes) { around_.listener.debug_output(bytes); });
    test_device_->claim(ports_, memory_, window_priority);
    debug_console_->claim(ports_);
}

void PcBoard::add_boot()
{
    fill_fw_cfg(fw_cfg_, parts_.description);
    for (const auto& [index, value] : cmos_contents(parts_.description))
        rtc_.cmos(index) = value;
    if (!parts_.prepare_direct_boot)
        return;
    fw_cfg_.add_file(boot_rom_file, std::vector<u8>(boot_rom.begin(), boot_rom.end()));
    boot_port_.emplace([this] { around_.host.request_quiet([this] { start_kernel(); }); });
    boot_port_->claim(ports_);
}

void PcBoard::start_kernel()
{
    if (!parts_.direct_boot) {
        auto prepared = parts_.prepare_direct_boot();
        if (!prepared)
            return around_.host.request_stop({.kind = StopReason::Kind::crashed, .text = prepared.error().text()});
        parts_.direct_boot = std::move(*prepared);
    }
    Vcpu& processor = *processors_->vcpus().front();
    x86::CpuState state;
    processor.save(state);
    if (!parts_.direct_boot->install(memory_, state))
        return around_.host.request_stop(
            {.kind = StopReason::Kind::crashed, .text = "The firmware left no memory where the kernel has to be loaded"});
    processor.load(state);
    parts_.direct_boot.reset();    // seldom wanted again, and large
}

void PcBoard::claim_ports()
{
    pic_.claim(ports_);
    pit_.claim(ports_);
    system_control_.claim(ports_);
    rtc_.claim(ports_);
    coprocessor_error_.claim(ports_);
    dma_.claim(ports_);
    i8042_.claim(ports_);
    floppy_.claim(ports_);
    if (serial_)
        serial_->claim(ports_, Uart16550::com1);
    fw_cfg_.claim(ports_);
    pm_->claim(ports_);
    pci_.claim(ports_);
    // Its port cf9 lies within the PCI bus's.
    reset_control_.claim(ports_);
}

void PcBoard::list_devices()
{
    devices_
        = {host_bridge_.get(),
           isa_bridge_.get(),
           ide_.get(),
           pm_.get(),
           vga_.get(),
           &pci_,
           &pit_,
           &system_control_,
           &rtc_,
           &hpet_,
           &reset_control_,
           &coprocessor_error_,
           &generation_id_,
           &dma_,
           &keyboard_,
           &mouse_,
           &i8042_,
           &floppy_,
           &fw_cfg_};
    if (serial_)
        devices_.push_back(&*serial_);
    if (test_device_)
        devices_.push_back(&*test_device_);
    if (variable_flash_)
        devices_.insert(devices_.end(), {&*firmware_flash_, &*variable_flash_});
    // The controllers last: by then nobody raises anything.
    devices_.push_back(&ioapic_);
    devices_.push_back(&pic_);
}

void PcBoard::reset_devices()
{
    keys_.clear();
    for (Device* device : devices_)
        device->reset();
    keyboard_a20_ = true;
    update_a20();
}

void PcBoard::reset()
{
    memory_.begin_changes();
    reset_devices();
    memory_.end_changes();
    processors_->reset();
    refresh_timer_.arm(around_.deadlines.now());
}

bool PcBoard::reset_is_a_detour()
{
    return rtc_.cmos(cmos_shutdown_code) != 0;
}

void PcBoard::update_a20()
{
    memory_.set_a20(keyboard_a20_ || reset_control_.a20());
}

void PcBoard::flush()
{
    if (serial_)
        serial_->flush();
    if (debug_console_)
        debug_console_->flush();
    if (vga_->refresh())
        around_.listener.frame_ready();
}

void PcBoard::running(bool runs)
{
    if (!runs)
        return;
    ide_->retry_failed();
    floppy_.retry_failed();
    if (variable_store_)
        variable_store_->retry_failed();
}

void PcBoard::refresh_display()
{
    if (vga_->refresh()) {
        unchanged_refreshes_ = 0;
        around_.listener.frame_ready();
    } else if (unchanged_refreshes_ < refreshes_until_idle) {
        ++unchanged_refreshes_;
    }
    const bool idle = unchanged_refreshes_ == refreshes_until_idle;
    refresh_timer_.arm(around_.deadlines.now() + (idle ? idle_refresh_interval : refresh_interval));
}

void PcBoard::serial_input(std::string_view bytes)
{
    if (serial_)
        serial_->receive({reinterpret_cast<const u8*>(bytes.data()), bytes.size()});
}

ScreenText PcBoard::screen_text()
{
    std::vector<GlyphFont> fonts;
    {
        const std::lock_guard lock(around_.machine_lock);
        if (auto text = vga_->text_mode_text())
            return *text;
        fonts = vga_->fonts();
    }
    const auto picture = frames_.latest();
    return picture ? read_glyphs(*picture, fonts) : ScreenText{};
}

Result<void> PcBoard::change_cdrom(const std::string& path)
{
    std::unique_ptr<BlockDevice> disc;
    if (!path.empty()) {
        auto opened = open_disc(path, around_.workers);
        if (!opened)
            return opened.error();
        disc = std::move(*opened);
    }
    // Letting go of the old one may wait for the host: not with the lock.
    const std::lock_guard lock(around_.machine_lock);
    disc = optical_->change_disc(std::move(disc));
    return {};
}

Result<void> PcBoard::change_floppy(const std::string& path)
{
    FloppyDisk floppy;
    if (!path.empty()) {
        auto opened = open_floppy(path, around_.workers);
        if (!opened)
            return opened.error();
        floppy = std::move(*opened);
    }
    const std::lock_guard lock(around_.machine_lock);
    floppy.image = floppy_.change_disk(0, std::move(floppy.image), floppy.geometry);
    return {};
}

}
