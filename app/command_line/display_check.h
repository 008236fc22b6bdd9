#pragma once
// Whether a window can be opened; Qt itself ends the process where it can't.

#include "engine/base/result.h"

namespace app {

bool hasDisplay();
engine::Result<void> checkDisplay();

}
