#pragma once
// The option ROM by which firmware starts a kernel that the engine has loaded, and the port through which it asks.
//
// Firmware finds the ROM as the fw_cfg file boot_rom_file, runs its empty initialisation, and lists its boot entry vector
// (Plug and Play BIOS specification 1.0a, 3.4). The vector writes 1 to port 5f8 and halts with interrupts off; the
// engine then takes the boot processor out of the guest, puts the kernel into RAM and sets its registers.

#include <array>
#include <functional>

#include "engine/device/device.h"
#include "engine/memory/port_space.h"

namespace engine {

constexpr std::string_view boot_rom_file = "genroms/paddock-boot.bin";
constexpr std::size_t boot_rom_size = 512;
extern const std::array<u8, boot_rom_size> boot_rom;

class BootPort final : public IoHandler {
public:
    static constexpr u16 port = 0x5f8;
    static constexpr u8 start = 1;

    // Called on the vCPU's thread with the machine's lock held, within its OUT instruction: it may only ask that the
    // vCPU leaves run().
    explicit BootPort(std::function<void()> requested) : requested_(std::move(requested)) { }

    void claim(PortSpace& ports) { ports.claim(port, 1, *this); }
    u64 read(u64, unsigned) override { return 0xff; }
    void write(u64, u64 value, unsigned) override
    {
        if (value == start)
            requested_();
    }

private:
    std::function<void()> requested_;
};

}
