#pragma once
// The three scan code sets of the AT keyboard. IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and
// 102-key)", and the controller's translation table.

#include "engine/base/types.h"

namespace engine {

// What the controller makes of a set 2 byte; bytes without a translation pass.
u8 set2_to_set1(u8 code);
// For a set 1 make code without its e0 prefix: the set 2 make code, 0 where there is none.
u8 set1_to_set2(u8 code);
// For a set 1 make code and whether e0 precedes it: the set 3 make code, 0 where there is none.
u8 set1_to_set3(u8 code, bool extended);

}
