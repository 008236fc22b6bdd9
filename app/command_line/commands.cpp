#include "app/command_line/commands.h"

#include "app/command_line/boot_plan.h"
#include "app/command_line/output.h"
#include "app/library/problem.h"

namespace app {

namespace {
std::vector<RunnableCommand> allCommands()
{
    auto all = libraryCommands();
    for (auto& command : runningCommands())
        all.push_back(std::move(command));
    for (auto& command : snapshotCommands())
        all.push_back(std::move(command));
    for (auto& command : debugCommands())
        all.push_back(std::move(command));
    return all;
}
}

const Command& runCommand()
{
    static const Command command{
        "run",
        {"NAME"},
        "Runs a machine of the library in this process, in a window.",
        {{"--headless", "", "without a window; “paddock stop” ends it"},
         {"--from", "SNAPSHOT", "begins with a snapshot, by name or id; “power-on” leaves a saved state behind"}},
        "Exit code: 0 the guest or the person switched it off; 2 wrong arguments; 4 it crashed.",
    };
    return command;
}

QString overview()
{
    QString text = "Paddock runs virtual machines.\n\n  paddock                           the library window\n"
                   "  paddock --demo                    the library window with the demo machine started\n";
    const auto add = [&](const Command& command) {
        QString line = command.name;
        for (const QString& positional : command.positionals)
            line += ' ' + positional;
        text += "  paddock " + line.leftJustified(25) + ' ' + command.summary + '\n';
    };
    for (const RunnableCommand& command : allCommands())
        add(command.description);
    add(runCommand());
    add(bootCommand());
    return text + "\n“paddock COMMAND --help” tells more. “paddock --version” names the version.\n";
}

int carryOut(const QStringList& words)
{
    for (const RunnableCommand& command : allCommands()) {
        if (command.description.name != words.front())
            continue;
        if (const QString second = words.value(1); second == "--help" || second == "-h") {
            say(command.description.help());
            return succeeded;
        }
        const auto arguments = Arguments::parse(command.description, words.mid(1));
        return arguments ? command.run(arguments.value()) : refuse(arguments.error());
    }
    return refuse(problem(QString("“%1” is no command of Paddock").arg(words.front()), {}, "“paddock --help” lists them"));
}

}
