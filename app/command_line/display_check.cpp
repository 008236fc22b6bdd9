#include "app/command_line/display_check.h"

#include <QtGlobal>

#include "app/library/problem.h"

namespace app {

bool hasDisplay()
{
    return !qEnvironmentVariableIsEmpty("DISPLAY") || !qEnvironmentVariableIsEmpty("WAYLAND_DISPLAY")
        || !qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM");
}

engine::Result<void> checkDisplay()
{
    if (hasDisplay())
        return {};
    return problem(
        "No window can be opened", "there is no display here: neither DISPLAY nor WAYLAND_DISPLAY is set",
        "Add --headless to “paddock boot” or “paddock run”, or start Paddock on a desktop");
}

}
