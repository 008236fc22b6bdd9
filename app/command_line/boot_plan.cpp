#include "app/command_line/boot_plan.h"

#include <cmath>

#include <QFileInfo>

#include "app/command_line/machine_options.h"
#include "app/library/problem.h"

namespace app {

namespace {
constexpr std::chrono::seconds default_patience{300};
constexpr double longest_patience = 7 * 24 * 3600;    // seconds; a QTimer's int holds 24 days

engine::Result<BootStep> expectation(BootStep::Kind kind, const QString& option, const QString& written)
{
    BootStep step{kind, written, QRegularExpression(written, QRegularExpression::MultilineOption), {}};
    if (!step.pattern.isValid())
        return problem(
            QString("%1 “%2” is no regular expression").arg(option, written),
            QString("%1, at character %2").arg(step.pattern.errorString()).arg(step.pattern.patternErrorOffset() + 1),
            R"(Put a backslash before a sign that is meant literally, as in \$)");
    return step;
}

engine::Result<std::vector<BootStep>> stepsFrom(const Arguments& arguments)
{
    std::vector<BootStep> steps;
    for (const auto& [option, written] : arguments.inOrder()) {
        if (option == "--keys") {
            auto keys = keySequence(written);
            if (!keys)
                return keys.error();
            steps.push_back({BootStep::Kind::keys, written, {}, std::move(*keys)});
        } else if (option == "--expect-serial" || option == "--expect-screen") {
            const auto kind = option == "--expect-serial" ? BootStep::Kind::expectSerial : BootStep::Kind::expectScreen;
            auto step = expectation(kind, option, written);
            if (!step)
                return step.error();
            steps.push_back(std::move(*step));
        }
    }
    return steps;
}

engine::Result<std::chrono::milliseconds> timeoutFrom(const Arguments& arguments, bool hasSteps)
{
    const auto given = arguments.value("--timeout");
    if (!given)
        return hasSteps ? default_patience : std::chrono::milliseconds(0);
    bool sound = false;
    const double seconds = given->toDouble(&sound);
    if (!sound || !std::isfinite(seconds) || seconds < 0.001 || seconds > longest_patience)
        return badValue("--timeout", *given, "a number of seconds, up to a week");
    return std::chrono::milliseconds(qint64(seconds * 1000));
}

engine::Result<QString> screenshotFrom(const Arguments& arguments)
{
    const QString path = arguments.value("--screenshot").value_or("");
    if (path.isEmpty() || QFileInfo(QFileInfo(path).absolutePath()).isWritable())
        return path;
    return problem(
        QString("The screenshot “%1” cannot be written").arg(path),
        QString("there is no folder %1 that may be written to").arg(QFileInfo(path).absolutePath()), "Choose another place");
}
}

const Command& bootCommand()
{
    static const Command command = [] {
        Command boot{"boot", {}, "Runs a machine that is not kept.", sizeOptions(), {}};
        const auto add = [&](const std::vector<Option>& options) {
            boot.options.insert(boot.options.end(), options.begin(), options.end());
        };
        add(bootOptions());
        add({
            {"--headless", "", "without a window; needs no display"},
            {"--serial", "stdio|FILE", "where the first serial port goes"},
            {"--expect-serial", "REGEX", "step: waits until the serial port has said this since the step before"},
            {"--expect-screen", "REGEX", "step: waits until the screen shows this"},
            {"--keys", "KEYS", "step: types, for example \"<ret>hello<f2>\""},
            {"--timeout", "SECONDS", "for all steps together (300; for ever without steps)"},
            {"--screenshot", "FILE.png", "the screen at the end"},
            {"--test-device", "", "adds the debug-exit port 0xf4; the exit code is the guest's"},
        });
        boot.remarks = "Steps are done in the order given; once all are met the machine is stopped.\n"
                       "Exit code: 0 all steps met, or powered off where there are none; 2 wrong arguments; 3 the time is up\n"
                       "(the screen is left in paddock-timeout.png or --screenshot); 4 the guest stopped or crashed before.";
        return boot;
    }();
    return command;
}

engine::Result<BootPlan> bootPlan(const Arguments& arguments)
{
    BootPlan plan;
    plan.definition.name = "boot";
    if (auto applied = applySizes(arguments, plan.definition); !applied)
        return applied.error();
    if (auto applied = applyMedia(arguments, plan.definition); !applied)
        return applied.error();
    auto steps = stepsFrom(arguments);
    if (!steps)
        return steps.error();
    const auto timeout = timeoutFrom(arguments, !steps->empty());
    if (!timeout)
        return timeout.error();
    const auto screenshot = screenshotFrom(arguments);
    if (!screenshot)
        return screenshot.error();
    plan.steps = std::move(*steps);
    plan.timeout = timeout.value();
    plan.screenshot = screenshot.value();
    plan.serial = arguments.value("--serial").value_or("");
    plan.headless = arguments.has("--headless");
    plan.definition.test_device = arguments.has("--test-device");
    return plan;
}

}
