// snapshot, save.

#include <QDateTime>
#include <QJsonArray>
#include <QJsonObject>
#include <QLocale>

#include "app/command_line/commands.h"
#include "app/command_line/output.h"
#include "app/library/machine_library.h"
#include "app/library/problem.h"
#include "app/session/control_socket.h"
#include "app/session/hosted_machine.h"
#include "app/session/layer_upkeep.h"

namespace app {

namespace {

using Tree = std::unique_ptr<engine::SnapshotTree>;
using engine::SnapshotInfo;

constexpr auto saving_patience = std::chrono::minutes(30), going_back_patience = std::chrono::minutes(2);

engine::Result<Tree> treeOf(const QString& name)
{
    const auto definition = MachineLibrary().find(name);
    if (!definition)
        return definition.error();
    return engine::SnapshotTree::open(definition.value().snapshots);
}

QString kindName(SnapshotInfo::Kind kind)
{
    return kind == SnapshotInfo::Kind::manual ? "manual" : kind == SnapshotInfo::Kind::automatic ? "automatic" : "closing";
}

QJsonObject describe(const SnapshotInfo& info, const std::string& present)
{
    const QDateTime at = QDateTime::fromMSecsSinceEpoch(qint64(info.taken_at));
    return {
        {"id", QString::fromStdString(info.id)},
        {"parent", QString::fromStdString(info.parent)},
        {"name", QString::fromStdString(info.name)},
        {"note", QString::fromStdString(info.note)},
        {"kind", kindName(info.kind)},
        {"taken_at", at.toUTC().toString(Qt::ISODateWithMs)},
        {"guest_seconds", double(info.guest_nanoseconds) / 1e9},
        {"with_memory", info.with_memory},
        {"memory_bytes", double(info.memory_bytes)},
        {"own_bytes", double(info.own_bytes)},
        {"reclaimable_bytes", double(info.reclaimable_bytes)},
        {"screen_text", QString::fromStdString(info.screen_text)},
        {"trouble", QString::fromStdString(info.trouble)},
        {"here", info.id == present},
    };
}

void sayTree(const std::vector<SnapshotInfo>& all, const std::string& parent, int depth, const std::string& present)
{
    for (const SnapshotInfo& info : all) {
        if (info.parent != parent || depth > 200)
            continue;
        const QString name = info.name.empty() ? '(' + kindName(info.kind) + ')' : QString::fromStdString(info.name);
        const QString when = QLocale().toString(QDateTime::fromMSecsSinceEpoch(qint64(info.taken_at)), QLocale::ShortFormat);
        QString line = QString(2 * depth, ' ') + name;
        line = line.leftJustified(32) + ' ' + QString::fromStdString(info.id) + "  " + when + "  "
            + QLocale().formattedDataSize(qint64(info.reclaimable_bytes));
        if (info.id == present)
            line += "  ← you are here";
        say(info.trouble.empty() ? line : line + "  " + QString::fromStdString(info.trouble));
        sayTree(all, info.id, depth + 1, present);
    }
}

int list(const Arguments& arguments, engine::SnapshotTree& tree)
{
    const auto all = tree.list();
    const std::string present = tree.present();
    if (!arguments.has("--json")) {
        if (all.empty())
            say(QString("“%1” has no snapshots yet. To take one: paddock snapshot \"%1\" take").arg(arguments.positional(0)));
        sayTree(all, {}, 0, present);
        return succeeded;
    }
    QJsonArray array;
    for (const SnapshotInfo& info : all)
        array += describe(info, present);
    sayJson(array);
    return succeeded;
}

int answered(const Arguments& arguments, const engine::Result<QJsonValue>& answer, const QString& words)
{
    if (!answer)
        return refuse(answer.error());
    arguments.has("--json") ? sayJson(answer.value()) : say(words);
    return succeeded;
}

int take(const Arguments& arguments)
{
    const QString& machine = arguments.positional(0);
    const QString name = arguments.positionalOr(2, arguments.value("--name").value_or(""));
    if (!isMachineRunning(machine)) {
        const auto definition = MachineLibrary().find(machine);
        const auto taken = definition
            ? engine::take_snapshot_of_stopped(
                definition.value(), {.name = name.toStdString(), .note = arguments.value("--note").value_or("").toStdString()})
            : engine::Result<SnapshotInfo>(definition.error());
        if (!taken)
            return refuse(taken.error());
        return answered(
            arguments, QJsonValue(QJsonObject{{"id", QString::fromStdString(taken.value().id)}}),
            QString("Took a snapshot of the disks of “%1”, which is off.").arg(machine));
    }
    waitUntilBegun(machine);
    const auto answer = callMachine(
        machine, "take_snapshot", {{"name", name}, {"note", arguments.value("--note").value_or("")}}, saving_patience);
    return answered(arguments, answer, QString("Took a snapshot of “%1”.").arg(machine));
}

int restore(const Arguments& arguments, const SnapshotInfo& info)
{
    const QString& machine = arguments.positional(0);
    if (!isMachineRunning(machine))
        return refuse(problem(
            QString("“%1” is not running").arg(machine), {},
            QString("Start it from there: paddock start \"%1\" --from %2").arg(machine, QString::fromStdString(info.id))));
    waitUntilBegun(machine);
    const auto answer = callMachine(machine, "go_back", {{"id", QString::fromStdString(info.id)}}, going_back_patience);
    return answered(arguments, answer, QString("“%1” has gone back.").arg(machine));
}

int done(const Arguments& arguments, const engine::Result<void>& result)
{
    return result ? answered(arguments, QJsonValue(QJsonObject()), "Done.") : refuse(result.error());
}

int remove(const Arguments& arguments, engine::SnapshotTree& tree, const std::string& id)
{
    const QString& machine = arguments.positional(0);
    const auto dropped = tree.drop({id});
    if (!dropped)
        return refuse(dropped.error());
    // A running machine merges its disks' layers beside the guest.
    const bool runs = isMachineRunning(machine);
    if (runs)
        (void)callMachine(machine, "merge_layers", {});
    const auto freed = dropped.value() + (runs ? 0 : tree.merge_layers([&] { return !isMachineRunning(machine); }));
    return answered(
        arguments, QJsonValue(QJsonObject{{"freed_bytes", double(freed)}}),
        QString("Deleted; %1 are free again.").arg(QLocale().formattedDataSize(qint64(freed))));
}

int compact(const Arguments& arguments)
{
    const QString& machine = arguments.positional(0);
    if (isMachineRunning(machine)) {
        waitUntilBegun(machine);
        return answered(
            arguments, callMachine(machine, "merge_layers", {}),
            QString("“%1” is running, and does so beside its guest.").arg(machine));
    }
    const auto definition = MachineLibrary().find(machine);
    const auto freed = definition ? freeDisksOf(machine, definition.value(), [] { return true; })
                                  : engine::Result<quint64>(definition.error());
    if (!freed)
        return refuse(freed.error());
    return answered(
        arguments, QJsonValue(QJsonObject{{"freed_bytes", double(freed.value())}}),
        QString("%1 are free again.").arg(QLocale().formattedDataSize(qint64(freed.value()))));
}

int clone(const Arguments& arguments, const SnapshotInfo& info)
{
    const QString& machine = arguments.positional(0);
    const QString name = arguments.positionalOr(3, QString());
    if (name.isEmpty())
        return refuse(problem("The new machine has no name", {}, "Write it behind the snapshot"));
    MachineLibrary library;
    const auto kind = arguments.has("--linked") ? engine::CloneKind::linked : engine::CloneKind::full;
    const auto cloned = library.clone(machine, info.id, name, kind);
    return cloned ? answered(
               arguments, QJsonValue(QJsonObject{{"name", name}}),
               QString("Created “%1”, which goes on where the snapshot was taken.").arg(name))
                  : refuse(cloned.error());
}

int snapshot(const Arguments& arguments)
{
    const QString& action = arguments.positional(1);
    auto tree = treeOf(arguments.positional(0));
    if (!tree)
        return refuse(tree.error());
    if (action == "list")
        return list(arguments, *tree.value());
    if (action == "take")
        return take(arguments);
    if (action == "compact")
        return compact(arguments);
    const QString which = arguments.positionalOr(2, {}), words = arguments.positionalOr(3, {});
    if (action != "restore" && action != "delete" && action != "rename" && action != "note" && action != "clone")
        return refuse(problem(
            QString("A snapshot can't be asked to “%1”").arg(action), {},
            "Write take, list, restore, delete, rename, note, clone or compact; “paddock snapshot --help” has the details"));
    const auto found = tree.value()->find(which.toStdString());
    if (!found)
        return refuse(found.error());
    if (action == "restore")
        return restore(arguments, found.value());
    if (action == "clone")
        return clone(arguments, found.value());
    if (action == "delete")
        return remove(arguments, *tree.value(), found.value().id);
    return done(
        arguments,
        action == "rename" ? tree.value()->rename(found.value().id, words.toStdString())
                           : tree.value()->set_note(found.value().id, words.toStdString()));
}

int save(const Arguments& arguments)
{
    const QString& machine = arguments.positional(0);
    waitUntilBegun(machine);
    const auto answer = callMachine(machine, "save", {}, saving_patience);
    const QString words = machine.endsWith(trialName({})) ? QString("Kept “%1” as a snapshot, and closed it.")
                                                          : QString("Saved and closed “%1”. To go on: paddock start \"%1\"");
    // So that the next command may be to start it.
    if (answer)
        waitUntilEnded(machine);
    return answered(arguments, answer, words.arg(machine));
}

}

std::vector<RunnableCommand> snapshotCommands()
{
    const Option json{"--json", "", "for programs"};
    Command command{
        "snapshot",
        {"NAME", "ACTION"},
        "Takes, lists and goes back to snapshots of a machine.",
        {{"--name", "TEXT", "with “take”: what it is called"},
         {"--note", "TEXT", "with “take”: a note"},
         {"--linked", "", "with “clone”: shares the disks, and needs the original from then on"},
         json},
        "ACTION is one of\n"
        "  take [SNAPSHOT]           takes one of the running machine, under that name\n"
        "  list                      shows them as a tree\n"
        "  restore SNAPSHOT          goes back to it in the running machine; what it is now is lost\n"
        "  delete SNAPSHOT           deletes it, and no other\n"
        "  rename SNAPSHOT TEXT      gives it another name\n"
        "  note SNAPSHOT TEXT        gives it another note\n"
        "  clone SNAPSHOT NAME       makes a machine of that name that goes on from there\n"
        "  compact                   gives back the room that only deleted snapshots needed, and shortens the disks' chains\n"
        "SNAPSHOT is a name or an id; of several of one name, the newest. A machine that is off begins with one by\n"
        "“paddock start NAME --from SNAPSHOT”.",
    };
    command.more = {"SNAPSHOT", "TEXT"};
    return {
        {command, snapshot},
        {{"save", {"NAME"}, "Saves a running machine and closes it; the next start goes on from there.", {json}, {}}, save},
    };
}

}
