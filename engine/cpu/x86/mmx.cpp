#include "engine/cpu/x86/mmx.h"

namespace engine::x86 {

void refuse_mmx(Cpu& c, const Insn* i)
{
    c.raise(i, c.cr0 & cr0_em ? invalid_opcode : device_not_available);
}

}
