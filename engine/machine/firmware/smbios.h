#pragma once
// What the machine is called and made of, for guests: SMBIOS 2.8 (DMTF DSP0134).

#include "engine/machine/firmware/board_description.h"

namespace engine {

struct SmbiosTables {
    std::vector<u8> anchor;    // the "_SM_" entry point; firmware fills in the address and both checksums
    std::vector<u8> tables;
};

SmbiosTables build_smbios(const BoardDescription& board);

}
