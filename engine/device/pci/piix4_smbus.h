#pragma once
// The SMBus host controller of the PIIX4. Intel data sheet 290562, section 7.3 (SMBus I/O space).
//
// No device hangs on the bus: every transaction ends at once with DEV_ERR, as an unacknowledged address does.
// Not modelled: the slave interface (registers are stored) and the controller's interrupt (drivers poll).

#include "engine/device/device.h"

namespace engine {

class Piix4Smbus final : public IoHandler {
public:
    static constexpr unsigned port_count = 16;

    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;

    struct State {
        u8 smbhststs = 0;
        u8 smbslvsts = 0;
        u8 smbhstcnt = 0;
        u8 smbhstcmd = 0;
        u8 smbhstadd = 0;
        u8 smbhstdat0 = 0;
        u8 smbhstdat1 = 0;
        u8 block_index = 0;
        std::array<u8, 32> block{};
        u8 smbslvcnt = 0;
        u8 smbshdwcmd = 0;
        std::array<u8, 2> smbslvevt{};
        std::array<u8, 2> smbslvdat{};
    };

    void reset() { s_ = {}; }
    void visit(StateVisitor& visitor);
    bool restored() { return s_.block_index < s_.block.size(); }

private:
    void start(u8 control);
    u8* stored(u64 offset);

    State s_;
};

}
