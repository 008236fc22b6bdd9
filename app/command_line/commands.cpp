#include "app/command_line/commands.h"

#include <optional>

#include "app/command_line/boot_plan.h"
#include "app/command_line/output.h"
#include "app/library/problem.h"

namespace app {

namespace {
std::vector<RunnableCommand> allCommands()
{
    auto all = libraryCommands();
    for (auto* more : {&runningCommands, &snapshotCommands, &diskCommands, &debugCommands})
        for (auto& command : (*more)())
            all.push_back(std::move(command));
    return all;
}

// What follows a command's name, which is one word, or two as in “disk create”; nothing where the words are another command.
std::optional<QStringList> afterName(const QStringList& words, const QString& name)
{
    const QStringList parts = name.split(u' ');
    return words.mid(0, parts.size()) == parts ? std::optional(words.mid(parts.size())) : std::nullopt;
}
}

const Command& runCommand()
{
    static const Command command{
        "run",
        {"NAME"},
        "Runs a machine of the library in this process, in a window.",
        {{"--headless", "", "without a window; “paddock stop” ends it"},
         {"--from", "SNAPSHOT", "begins with a snapshot, by name or id; “power-on” leaves a saved state behind"},
         {"--keep", "", "with “--from”: what the machine is now becomes a snapshot first"},
         {"--try", "", "a trial in a copy, which is thrown away at its end unless “paddock save” keeps it"}},
        "Exit code: 0 the guest or the person switched it off; 2 wrong arguments; 4 it crashed.",
    };
    return command;
}

namespace {
QString lineOf(const Command& command)
{
    QString line = command.name;
    for (const QString& positional : command.positionals)
        line += ' ' + positional;
    return "  paddock " + line.leftJustified(25) + ' ' + command.summary + '\n';
}

QString overviewOf(const std::vector<RunnableCommand>& commands)
{
    QString text;
    for (const RunnableCommand& command : commands)
        text += lineOf(command.description);
    return text;
}
}

QString overview()
{
    return "Paddock runs virtual machines.\n\n  paddock                           the library window\n"
           "  paddock --demo                    the library window with the demo machine started\n"
        + overviewOf(allCommands()) + lineOf(runCommand()) + lineOf(bootCommand())
        + "\n“paddock COMMAND --help” tells more. “paddock --version” names the version.\n";
}

int carryOut(const QStringList& words)
{
    for (const RunnableCommand& command : allCommands()) {
        const auto rest = afterName(words, command.description.name);
        if (!rest)
            continue;
        if (const QString second = rest->value(0); second == "--help" || second == "-h") {
            say(command.description.help());
            return succeeded;
        }
        const auto arguments = Arguments::parse(command.description, *rest);
        return arguments ? command.run(arguments.value()) : refuse(arguments.error());
    }
    if (words.front() == "disk" && (words.size() == 1 || words[1] == "--help" || words[1] == "-h")) {
        say(overviewOf(diskCommands()) + "\n“paddock disk COMMAND --help” tells more.");
        return words.size() == 1 ? refused : succeeded;
    }
    return refuse(problem(
        QString("“%1” is no command of Paddock").arg(words.mid(0, words.front() == "disk" ? 2 : 1).join(u' ')), {},
        "“paddock --help” lists them"));
}

}
