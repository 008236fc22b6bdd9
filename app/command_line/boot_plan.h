#pragma once
// `paddock boot`: a machine that is not kept, and the steps a script wants of it. QtCore only.

#include <chrono>
#include <vector>

#include <QRegularExpression>

#include "app/command_line/arguments.h"
#include "app/session/key_names.h"
#include "engine/engine.h"

namespace app {

struct BootStep {
    enum class Kind : quint8 { expectSerial, expectScreen, keys } kind = Kind::keys;
    QString written;    // as it stood on the command line
    QRegularExpression pattern;    // multi-line: ^ and $ match at lines
    KeyEvents keys;
};

struct BootPlan {
    engine::MachineDefinition definition;
    std::vector<BootStep> steps;    // done in this order
    std::chrono::milliseconds timeout{0};    // for all of them together; 0 waits for ever
    QString screenshot;    // written at the end, "" for none
    QString serial;    // "" nowhere, "stdio", or a file
    bool headless = false;
};

const Command& bootCommand();
engine::Result<BootPlan> bootPlan(const Arguments& arguments);

}
