// start, stop, screenshot, type, key.

#include <signal.h>

#include <QCoreApplication>
#include <QElapsedTimer>
#include <QFile>
#include <QFileInfo>
#include <QJsonObject>
#include <QProcess>
#include <QRegularExpression>
#include <QTemporaryFile>
#include <QThread>

#include "app/command_line/commands.h"
#include "app/command_line/display_check.h"
#include "app/command_line/output.h"
#include "app/library/machine_library.h"
#include "app/library/problem.h"
#include "app/session/control_socket.h"
#include "app/session/hosted_machine.h"

namespace app {

namespace {
constexpr qint64 start_patience = 20'000;    // milliseconds until the socket answers
constexpr auto snapshot_patience = std::chrono::minutes(10);
constexpr auto typing_patience = std::chrono::minutes(10);

template <class Condition> bool waitFor(Condition condition, qint64 milliseconds)
{
    QElapsedTimer waited;
    for (waited.start(); waited.elapsed() < milliseconds; QThread::msleep(50))
        if (condition())
            return true;
    return condition();
}

int start(const Arguments& arguments)
{
    const QString& name = arguments.positional(0);
    const auto definition = MachineLibrary().find(name);
    if (!definition)
        return refuse(definition.error());
    const bool trial = arguments.has("--try");
    const QString running = trial ? trialName(name) : name;
    if (isMachineRunning(running))
        return refuse(problem(QString("“%1” is running already").arg(running)));
    std::optional<QString> from = arguments.value("--from");
    // A trial begins with a snapshot.
    if (trial && !from && isMachineRunning(name)) {
        const auto taken = callMachine(name, "take_snapshot", {{"note", "Where a trial began"}}, snapshot_patience);
        if (!taken)
            return refuse(taken.error());
        from = taken.value()["id"].toString();
    }
    const auto newest = MachineLibrary().newestAfterInterruption(name);
    const bool headless = arguments.has("--headless") || !hasDisplay();

    QTemporaryFile complaints;
    if (!complaints.open())
        return refuse(problem(
            "No temporary file can be made", complaints.errorString(),
            "Make room in " + QFileInfo(complaints.fileTemplate()).path()));
    QProcess process;
    process.setProgram(QCoreApplication::applicationFilePath());
    QStringList words{"run"};
    if (headless)
        words += "--headless";
    if (from)
        words += {"--from", *from};
    if (trial)
        words += "--try";
    if (arguments.has("--keep"))
        words += "--keep";
    process.setArguments(words + QStringList{"--", name});
    process.setStandardInputFile(QProcess::nullDevice());
    process.setStandardOutputFile(QProcess::nullDevice());
    process.setStandardErrorFile(complaints.fileName());
    qint64 id = 0;
    if (!process.startDetached(&id))
        return refuse(problem(QString("“%1” cannot be started").arg(name), process.errorString()));

    bool ended = false;
    waitFor([&] { return isMachineRunning(running) || (ended = ::kill(pid_t(id), 0) != 0); }, start_patience);
    const bool begun = !ended && waitUntilBegun(running);
    QFile written(complaints.fileName());
    QString reason = written.open(QIODevice::ReadOnly) ? QString::fromUtf8(written.read(4096)).trimmed() : QString();
    reason.remove(QRegularExpression(R"(^paddock: |\.$)"));
    // Some guests end as soon as they have begun.
    if (begun || (!ended && reason.isEmpty())) {
        say(QString("Started “%1”%2.").arg(running, headless ? " without a window" : ""));
        if (trial)
            say(QString("To keep what becomes of it as a snapshot of “%1”: paddock save \"%2\"\n"
                        "To throw it away: paddock stop --force \"%2\"")
                    .arg(name, running));
        else if (newest && !arguments.has("--from"))
            say(QString(
                    "It was not stopped properly last time, so it was powered on. To go on from its newest snapshot instead:\n"
                    "paddock stop --force \"%1\" && paddock start --from %2 --keep \"%1\"")
                    .arg(name, QString::fromStdString(newest->id)));
        return succeeded;
    }
    return refuse(problem(
        QString("“%1” did not start").arg(name), reason.isEmpty() ? QString("its process gave no reason") : reason,
        QString("To see more: paddock run \"%1\"").arg(name)));
}

// Calls the machine; 0 or the exit code of the refusal.
int call(
    const QString& name, const QString& method, const QJsonObject& params,
    std::chrono::milliseconds patience = std::chrono::seconds(30))
{
    const auto answer = callMachine(name, method, params, patience);
    return answer ? succeeded : refuse(answer.error());
}

int stop(const Arguments& arguments)
{
    const QString& name = arguments.positional(0);
    const bool force = arguments.has("--force");
    if (const int code = call(name, "stop", {{"force", force}}); code != succeeded)
        return code;
    if (!force) {
        say(QString("Asked “%1” to switch itself off.").arg(name));
        return succeeded;
    }
    if (!waitUntilEnded(name))
        return refuse(
            problem(QString("“%1” has not ended yet").arg(name), {}, QString("Look again: paddock info \"%1\"").arg(name)));
    say(QString("Switched off “%1”.").arg(name));
    return succeeded;
}

int screenshot(const Arguments& arguments)
{
    const QString path = QFileInfo(arguments.positional(1)).absoluteFilePath();
    return call(arguments.positional(0), "screenshot", {{"path", path}});
}

int type(const Arguments& arguments)
{
    return call(arguments.positional(0), "type", {{"text", arguments.positional(1)}}, typing_patience);
}

int key(const Arguments& arguments)
{
    return call(arguments.positional(0), "key", {{"combo", arguments.positional(1)}});
}
}

std::vector<RunnableCommand> runningCommands()
{
    return {
        {{"start",
          {"NAME"},
          "Starts a machine in a process of its own.",
          {{"--headless", "", "without a window, as is done where there is no display"},
           {"--from", "SNAPSHOT", "begins with a snapshot, by name or id; “power-on” leaves a saved state behind"},
           {"--keep", "", "with “--from”: what the machine is now becomes a snapshot first"},
           {"--try", "", "a trial in a copy, which is thrown away at its end unless “paddock save” keeps it"}},
          {}},
         start},
        {{"stop",
          {"NAME"},
          "Presses a machine's power button.",
          {{"--force", "", "pulls the plug instead: what the guest has not written to disk is lost"}},
          {}},
         stop},
        {{"screenshot", {"NAME", "FILE.png"}, "Writes a machine's screen as a picture.", {}, {}}, screenshot},
        {{"type", {"NAME", "TEXT"}, "Types a text, as on a US keyboard.", {}, {}}, type},
        {{"key", {"NAME", "COMBO"}, "Presses keys together, for example ctrl-alt-delete.", {}, {}}, key},
    };
}

}
