#pragma once
// The PC: i440FX with PIIX3 and PIIX4, as SeaBIOS and forty years of guests know it. The parts list and its wiring.

#include <optional>

#include "engine/device/display/std_vga.h"
#include "engine/device/input/i8042.h"
#include "engine/device/input/ps2_keyboard.h"
#include "engine/device/input/ps2_mouse.h"
#include "engine/device/interrupt/i8259.h"
#include "engine/device/interrupt/ioapic.h"
#include "engine/device/isa/i8237.h"
#include "engine/device/pci/i440fx.h"
#include "engine/device/pci/pci_bus.h"
#include "engine/device/pci/piix3_isa.h"
#include "engine/device/pci/piix4_pm.h"
#include "engine/device/platform/coprocessor_error.h"
#include "engine/device/platform/hpet.h"
#include "engine/device/platform/i8254.h"
#include "engine/device/platform/mc146818.h"
#include "engine/device/platform/parallel_flash.h"
#include "engine/device/platform/reset_control.h"
#include "engine/device/platform/system_control.h"
#include "engine/device/platform/test_device.h"
#include "engine/device/platform/vm_generation_id.h"
#include "engine/device/serial/uart16550.h"
#include "engine/device/storage/floppy_controller.h"
#include "engine/device/storage/piix3_ide.h"
#include "engine/machine/board/board.h"
#include "engine/machine/board/pc_parts.h"
#include "engine/machine/firmware/boot_rom.h"
#include "engine/machine/firmware/fw_cfg.h"
#include "engine/machine/firmware/variable_store.h"
#include "engine/machine/interrupt_router.h"
#include "engine/machine/key_queue.h"
#include "engine/machine/processors.h"

namespace engine {

class PcBoard final : public Board {
public:
    // What the board stands in; outlives it.
    struct Surroundings {
        std::mutex& machine_lock;
        DeadlineQueue& deadlines;
        CompletionQueue& events;
        WorkerPool& workers;
        BoardHost& host;
        Listener& listener;
    };
    using MakeProcessors = std::function<Result<std::unique_ptr<Processors>>(unsigned count, Processors::Wires wires)>;

    static Result<std::unique_ptr<PcBoard>>
    create(const MachineDefinition& definition, const Surroundings& surroundings, const MakeProcessors& make_processors);
    ~PcBoard() override;

    std::vector<Vcpu*> vcpus() override { return processors_->vcpus(); }
    void reset() override;
    bool reset_is_a_detour() override;
    void flush() override;
    void running(bool runs) override;

    std::vector<MemoryBlock*> memories() override;
    std::vector<MemoryBlock*> memories_at_hand() override;
    std::vector<DiskImage*> disks() override { return disks_; }
    void forget_writable() override { processors_->dirty_rounds().begin(); }
    bool tells_of_writes() override { return processors_->tells_of_writes(); }
    void collect_writes() override;
    void load_variables(std::span<const u8> content) override;
    void loaded() override;
    StateMap description() override;
    DeviceStates save() override;
    std::string load(const DeviceStates& states) override;

    void set_generation(const GenerationId& id) override { generation_id_.set({id.low, id.high}); }
    void press_power_button() override { pm_->press_power_button(); }
    void key(u16 code, bool down) override { keys_.push(code, down); }
    void pointer(int dx, int dy, int wheel, u8 buttons) override { mouse_.move(dx, dy, wheel, buttons); }
    void serial_input(std::string_view bytes) override;

    std::shared_ptr<const Frame> frame() const override { return frames_.latest(); }
    ScreenText screen_text() override;

    Result<void> change_cdrom(const std::string& path) override;
    Result<void> change_floppy(const std::string& path) override;

private:
    PcBoard(PcParts parts, const Surroundings& surroundings);

    Processors::Wires processor_wires();
    Result<void> build(const MachineDefinition& definition, const MakeProcessors& make_processors);
    void place_memory();
    void place_firmware();
    Result<void> add_pci_functions();
    void add_drives();
    void add_serial(const MachineDefinition& definition);
    void add_test_device();
    void add_boot();
    void claim_ports();
    void list_devices();

    void reset_devices();
    void update_a20();
    void refresh_display();
    DriveWires drive_wires();
    void start_kernel();
    void write_serial(std::string_view bytes);

    Surroundings around_;
    PcParts parts_;
    AddressSpace memory_;
    PortSpace ports_;
    FrameMailbox frames_;

    // Interrupts and processors
    I8259Pair pic_;
    IoApic ioapic_;
    InterruptRouter interrupts_;
    std::unique_ptr<Processors> processors_;

    // Timers and control
    I8254 pit_;
    SystemControlPort system_control_;
    Mc146818 rtc_;
    Hpet hpet_;
    ResetControl reset_control_;
    CoprocessorError coprocessor_error_;
    VmGenerationId generation_id_;
    bool keyboard_a20_ = true;

    // ISA
    I8237Pair dma_;
    Ps2Keyboard keyboard_;
    Ps2Mouse mouse_;
    I8042 i8042_;
    KeyQueue keys_;
    std::optional<Uart16550> serial_;
    FloppyController floppy_;
    std::optional<TestDevice> test_device_;
    std::optional<DebugConsole> debug_console_;

    // PCI
    PciBus pci_;
    std::unique_ptr<I440fx> host_bridge_;
    std::unique_ptr<Piix3Isa> isa_bridge_;
    std::unique_ptr<Piix3Ide> ide_;
    AtapiDrive* optical_ = nullptr;
    std::vector<DiskImage*> disks_;    // the drives own them
    std::unique_ptr<Piix4Pm> pm_;
    std::unique_ptr<StdVga> vga_;

    // Firmware
    std::optional<ParallelFlash> firmware_flash_, variable_flash_;    // both or none
    std::optional<VariableStore> variable_store_;
    FwCfg fw_cfg_;
    std::optional<BootPort> boot_port_;

    std::vector<Device*> devices_;    // in the order in which they are reset
    Timer refresh_timer_;
    unsigned unchanged_refreshes_ = 0;
};

}
