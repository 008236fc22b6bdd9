#pragma once
// A machine without a window whose host cannot go on, for example because its disk is full: says so on standard error and
// tries again by itself, as there is nobody to press a button.

#include "app/session/machine_session.h"

namespace app {

// Until `session` ends.
void sayAndRetryTrouble(MachineSession& session);

}
