#pragma once
// A guest's frame as a picture.

#include <QImage>
#include <QString>

#include "engine/base/result.h"
#include "engine/device/display/frame.h"

namespace display {

// Shares the frame's pixels: the frame must outlive the image. Null where the frame's size and pixels disagree.
QImage imageOf(const engine::Frame& frame);

// Writes a PNG, all or nothing. Needs no Qt platform.
engine::Result<void> savePicture(const engine::Frame& frame, const QString& path);

}
