#pragma once
// The commands that need neither a window nor a machine in this process: they speak to the library and, over the control
// socket, to the processes that run machines. Each returns the process's exit code: 0, or 2 with sentences on standard error.

#include <functional>
#include <vector>

#include "app/command_line/arguments.h"

namespace app {

struct RunnableCommand {
    Command description;
    std::function<int(const Arguments&)> run;
};

std::vector<RunnableCommand> libraryCommands();    // create, import, list, info, delete
std::vector<RunnableCommand> runningCommands();    // start, stop, screenshot, type, key
std::vector<RunnableCommand> debugCommands();    // debug
std::vector<RunnableCommand> snapshotCommands();    // snapshot, save
std::vector<RunnableCommand> diskCommands();    // disk create, info, check, convert, compact, resize

const Command& runCommand();    // `paddock run`, which main carries out

QString overview();    // `paddock --help`

// Carries out the command named by the first word or two; a QCoreApplication must exist.
int carryOut(const QStringList& words);

}
