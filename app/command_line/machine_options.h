#pragma once
// The options that describe a machine, shared by `create` and `boot`.

#include "app/command_line/arguments.h"
#include "engine/engine.h"

namespace app {

std::vector<Option> sizeOptions();    // --memory, --cpus, --accel
std::vector<Option> bootOptions();    // --cdrom, --disk, --floppy, --kernel, --initrd, --append, --firmware …

// MachineDefinition::firmware for "bios", "uefi" or a path.
std::string firmwareNamed(const QString& word);

// "WHAT,cache=POLICY" in its two parts; no policy where there is none in `text`. What else follows a comma belongs to WHAT.
struct DiskWords {
    QString what;
    std::string cache;
};
engine::Result<DiskWords> diskWords(const QString& text);

// Fills in what was given. Whether the machine can exist is the engine's to say; that the words are numbers, ours.
engine::Result<void> applySizes(const Arguments& arguments, engine::MachineDefinition& definition);
engine::Result<void> applyCdrom(const Arguments& arguments, engine::MachineDefinition& definition);
// The disc as well.
engine::Result<void> applyMedia(const Arguments& arguments, engine::MachineDefinition& definition);

}
