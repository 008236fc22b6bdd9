#pragma once
// Whether a file may lie in an optical drive, for those who give one by name on the command line.

#include <QString>

#include "engine/base/result.h"

namespace app {

// An error in words where the file cannot be read, is no CD image, or is cut short. A disc that does not boot is sound.
engine::Result<void> checkCdrom(const QString& path);

}
