#pragma once
// Boots a kernel file without a disk: a Linux bzImage or a Multiboot kernel, with initial RAM disk and command line.
//
// To wire it: add boot_rom as the fw_cfg file boot_rom_file, put rom_boot_path(boot_rom_file) first into
// BoardDescription::boot_paths, claim a BootPort. When it is asked, take the boot processor out of run(), save its state,
// call install() with the machine's lock held, load the state and run on. Each reset of the machine leads here again.

#include <memory>

#include "engine/cpu/x86/state.h"
#include "engine/machine/firmware/boot_plan.h"
#include "engine/memory/address_space.h"

namespace engine {

class DirectBoot {
public:
    // Reads the files and decides where everything goes. `initrd` may be "".
    static Result<std::unique_ptr<DirectBoot>>
    prepare(const std::string& kernel, const std::string& initrd, const std::string& command_line, const BoardDescription& board);

    // Writes the kernel into guest memory and sets the registers of its entry. False if the guest has no RAM there.
    bool install(AddressSpace& memory, x86::CpuState& state) const;

private:
    DirectBoot() = default;

    std::vector<u8> kernel_, initrd_;
    BootPlan plan_;
};

// The two halves of install().
bool load_pieces(const BootPlan& plan, AddressSpace& memory);
void set_entry_state(const BootPlan& plan, x86::CpuState& state);

}
