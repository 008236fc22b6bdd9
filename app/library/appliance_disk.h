#pragma once
// Taking a disk out of an appliance. QtCore only; waits for the host.

#include <functional>

#include "app/library/appliance.h"

namespace app {

// The disk's file as it was before it was packed, compressed or split: where it lies, if it lies so already, or else a new file in
// `folder`, which is empty. Every piece has the digest that the manifest gives; an error says which has not. The progress,
// 0 to 1, stops it by returning false.
engine::Result<QString> takeOut(const DiskToImport& disk, const QString& folder, const std::function<bool(double)>& progress);

// Whether takeOut() only has to say where it is.
bool liesOpen(const DiskToImport& disk);

}
