#pragma once
#include "engine/device/display/frame.h"
#include "engine/engine.h"

namespace engine {

// The frame made small, each pixel the mean of those it stands for.
Thumbnail make_thumbnail(const Frame& frame, u32 most = 256);

}
