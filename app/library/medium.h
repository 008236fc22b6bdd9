#pragma once
// What a file that a person drops on the window is, and the machine one would make for it.

#include <QString>

#include "engine/engine.h"

namespace app {

struct Medium {
    enum class Kind { cdrom, disk, floppy } kind = Kind::cdrom;
    QString path;
    QString title;    // for a person: "Debian 12.5.0", or the file's name
    QString note;    // what deserves a warning: not bootable, truncated; "" where nothing does
    quint64 suggestedMemoryMib = 1024;
    quint64 suggestedDiskBytes = 0;
};

// An error in words where the file is neither a CD image nor a disk image.
engine::Result<Medium> probeMedium(const QString& path);

// The machine offered with one click, from what Debian's packages hold.
struct Demo {
    QString path;    // "" where none is installed
    QString title;
    QString package;    // the one to install where `path` is empty
};
Demo findDemo();

}
