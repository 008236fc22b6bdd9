#include "engine/device/pci/piix4_smbus.h"

#include "engine/base/bits.h"

namespace engine {

namespace {
// 290562, 7.3
enum Register : u64 {
    smbhststs_at = 0x0,
    smbslvsts_at = 0x1,
    smbhstcnt_at = 0x2,
    smbhstcmd_at = 0x3,
    smbhstadd_at = 0x4,
    smbhstdat0_at = 0x5,
    smbhstdat1_at = 0x6,
    smbblkdat_at = 0x7,
    smbslvcnt_at = 0x8,
    smbshdwcmd_at = 0x9,
    smbslvevt_at = 0xa,
    smbslvdat_at = 0xc,
};
constexpr u8 status_device_error = 0x04, status_failed = 0x10, status_clearable = 0x1e, slave_status_clearable = 0x3c;
constexpr u8 control_kill = 0x02, control_start = 0x40;
}

u8* Piix4Smbus::stored(u64 offset)
{
    switch (offset) {
    case smbhstcmd_at:
        return &s_.smbhstcmd;
    case smbhstadd_at:
        return &s_.smbhstadd;
    case smbhstdat0_at:
        return &s_.smbhstdat0;
    case smbhstdat1_at:
        return &s_.smbhstdat1;
    case smbslvcnt_at:
        return &s_.smbslvcnt;
    case smbshdwcmd_at:
        return &s_.smbshdwcmd;
    case smbslvevt_at:
    case smbslvevt_at + 1:
        return &s_.smbslvevt[offset - smbslvevt_at];
    case smbslvdat_at:
    case smbslvdat_at + 1:
        return &s_.smbslvdat[offset - smbslvdat_at];
    default:
        return nullptr;
    }
}

u64 Piix4Smbus::read(u64 offset, unsigned size)
{
    if (size != 1)
        return low_mask(8 * size);
    switch (offset) {
    case smbhststs_at:
        return s_.smbhststs;
    case smbslvsts_at:
        return s_.smbslvsts;
    case smbhstcnt_at:
        s_.block_index = 0;
        return s_.smbhstcnt;
    case smbblkdat_at: {
        const u8 byte = s_.block[s_.block_index];
        s_.block_index = u8((s_.block_index + 1) % s_.block.size());
        return byte;
    }
    default:
        const u8* plain = stored(offset);
        return plain ? *plain : 0xff;
    }
}

void Piix4Smbus::write(u64 offset, u64 value, unsigned size)
{
    if (size != 1)
        return;
    switch (offset) {
    case smbhststs_at:
        s_.smbhststs &= u8(~(value & status_clearable));
        break;
    case smbslvsts_at:
        s_.smbslvsts &= u8(~(value & slave_status_clearable));
        break;
    case smbhstcnt_at:
        start(u8(value));
        break;
    case smbblkdat_at:
        s_.block[s_.block_index] = u8(value);
        s_.block_index = u8((s_.block_index + 1) % s_.block.size());
        break;
    default:
        if (u8* plain = stored(offset))
            *plain = u8(value);
    }
}

void Piix4Smbus::start(u8 control)
{
    s_.smbhstcnt = u8(control & ~control_start);
    if (control & control_kill)
        s_.smbhststs |= status_failed;
    else if (control & control_start)
        s_.smbhststs |= status_device_error;
}

void Piix4Smbus::visit(StateVisitor& v)
{
    auto& [smbhststs, smbslvsts, smbhstcnt, smbhstcmd, smbhstadd, smbhstdat0, smbhstdat1, block_index, block, smbslvcnt, smbshdwcmd, smbslvevt, smbslvdat]
        = s_;
    v.field("smbhststs", smbhststs);
    v.field("smbslvsts", smbslvsts);
    v.field("smbhstcnt", smbhstcnt);
    v.field("smbhstcmd", smbhstcmd);
    v.field("smbhstadd", smbhstadd);
    v.field("smbhstdat0", smbhstdat0);
    v.field("smbhstdat1", smbhstdat1);
    v.field("block_index", block_index);
    v.field("block", block);
    v.field("smbslvcnt", smbslvcnt);
    v.field("smbshdwcmd", smbshdwcmd);
    v.field("smbslvevt", smbslvevt);
    v.field("smbslvdat", smbslvdat);
}

}
