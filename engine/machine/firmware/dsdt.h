#pragma once
// The board's devices in AML: the body of the DSDT.

#include "engine/machine/firmware/board_description.h"

namespace engine {

std::vector<u8> build_dsdt_body(const BoardDescription& board);

}
