#pragma once
// What a file that a person drops on the window is, and the machine one would make for it.

#include <optional>

#include <QString>

#include "app/library/machine_library.h"
#include "engine/engine.h"

namespace app {

struct Medium {
    enum class Kind { cdrom, disk, floppy, appliance } kind = Kind::cdrom;
    QString path;    // absolute
    QString title;    // for a person: "Debian GNU/Linux 12.5.0", or the file's name
    QString warning;    // a sentence on what will not go well: not bootable, truncated; or ""
    bool needsUefi = false;    // a machine with a BIOS can't start from it
    quint64 memoryMib = 1024;    // what suits it, within what the host has
    quint64 diskBytes = 0;
    Appliance appliance{};    // where it is one
};

// An error in words where the file is neither a CD image nor a disk image.
engine::Result<Medium> probeMedium(const QString& path);

// The machine offered with one click, made from what Debian's packages hold.
struct Demo {
    QString title;
    std::optional<NewMachine> machine;    // none where the package is missing
    QString package;    // the one to install then
};
Demo findDemo();

}
