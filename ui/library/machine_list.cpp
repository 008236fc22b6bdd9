#include "ui/library/machine_list.h"

#include <algorithm>

#include <QDir>
#include <QFileInfo>
#include <QImageReader>
#include <QLocale>
#include <QSet>

#include "app/session/hosted_machine.h"

namespace ui {

namespace {

constexpr int poll_milliseconds = 2000;
constexpr QSize largest_picture(640, 480);

}

MachineList::MachineList(app::MachineLibrary& library, QObject* parent) : QAbstractListModel(parent), m_library(library)
{
    QDir().mkpath(library.machinesFolder());
    m_watcher.addPath(library.machinesFolder());
    if (const auto sockets = app::socketFolder())
        m_watcher.addPath(sockets.value());
    connect(&m_watcher, &QFileSystemWatcher::directoryChanged, this, &MachineList::refresh);
    m_poll.callOnTimeout(this, &MachineList::refresh);
    m_poll.start(poll_milliseconds);
    refresh();
}

QString MachineList::wordsForTrial(const QString& state)
{
    if (state == QLatin1String("running"))
        return tr("Trial in a copy, running");
    if (state == QLatin1String("paused"))
        return tr("Trial in a copy, paused");
    return tr("Trial in a copy, starting or ending");
}

QString MachineList::wordsFor(const Entry& entry)
{
    const QString state = entry.link->state();
    if (!entry.trialOf.isEmpty())
        return wordsForTrial(state);
    if (state == QLatin1String("running"))
        return tr("Running");
    if (state == QLatin1String("paused"))
        return tr("Paused");
    if (!state.isEmpty())
        return tr("Starting or stopping");
    return entry.saved ? tr("Saved") : entry.interrupted ? tr("Interrupted") : tr("Off");
}

int MachineList::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : int(m_entries.size());
}

QVariant MachineList::data(const QModelIndex& index, int role) const
{
    if (!index.isValid() || size_t(index.row()) >= m_entries.size())
        return {};
    const Entry& entry = m_entries[size_t(index.row())];
    switch (role) {
    case Qt::DisplayRole:
        return entry.name;
    case Qt::AccessibleTextRole:
        return tr("%1, %2").arg(entry.name, wordsFor(entry));
    case Qt::ToolTipRole:
    case detailsRole:
        return entry.details;
    case stateRole:
        return entry.link->state();
    case stateTextRole:
        return wordsFor(entry);
    case pictureRole:
        return entry.picture;
    case trialRole:
        return !entry.trialOf.isEmpty();
    default:
        return {};
    }
}

const MachineList::Entry* MachineList::find(const QString& name) const
{
    const auto found = std::ranges::find(m_entries, name, &Entry::name);
    return found == m_entries.end() ? nullptr : &*found;
}

QModelIndex MachineList::indexOf(const QString& name) const
{
    const Entry* entry = find(name);
    return entry ? index(int(entry - m_entries.data())) : QModelIndex();
}

bool MachineList::isRunning(const QString& name) const
{
    const Entry* entry = find(name);
    return (entry && !entry->link->state().isEmpty()) || app::isMachineRunning(name);
}

void MachineList::send(const QString& name, const QString& method, const QJsonObject& params)
{
    if (const Entry* entry = find(name))
        entry->link->send(method, params);
}

MachineList::Entry MachineList::makeEntry(const QString& name, const QString& trialOf)
{
    Entry entry{.name = name, .trialOf = trialOf, .link = std::make_unique<app::ControlLink>(name)};
    connect(entry.link.get(), &app::ControlLink::stateChanged, this, [this, name, link = entry.link.get()] {
        changed(name);
        if (link->state().isEmpty())
            emit ended(name);
    });
    connect(entry.link.get(), &app::ControlLink::failed, this, &MachineList::failed);
    describe(entry);
    return entry;
}

// Reads what the disk says of a machine.
void MachineList::describe(Entry& entry) const
{
    const bool trial = !entry.trialOf.isEmpty();
    const auto definition = m_library.find(trial ? entry.trialOf : entry.name);
    const QString onDisk = QLocale().formattedDataSize(qint64(m_library.bytesOnDisk(entry.name)), 1);
    if (definition) {
        const int count = int(definition.value().cpus);
        const QString processors = count == 1 ? tr("one processor") : tr("%n processors", nullptr, count);
        if (trial) {
            entry.details = tr("%L1 MiB, %2").arg(definition.value().memory_mib).arg(processors);
            return;
        }
        entry.details = tr("%L1 MiB, %2, %3 on disk").arg(definition.value().memory_mib).arg(processors, onDisk);
        const auto snapshots = engine::SnapshotTree::open(definition.value().snapshots);
        entry.saved = snapshots && !snapshots.value()->saved_state().empty();
        entry.interrupted = snapshots && snapshots.value()->interrupted();
    } else {
        entry.details = app::sentences(definition.error());
    }
    const QFileInfo file(m_library.screenPicture(entry.name));
    if (!file.exists() || file.lastModified() == entry.pictureTime)
        return;
    entry.pictureTime = file.lastModified();
    QImageReader reader(file.filePath(), "png");
    if (const QSize size = reader.size(); size.isValid())
        reader.setScaledSize(size.scaled(size.boundedTo(largest_picture), Qt::KeepAspectRatio));
    entry.picture = QPixmap::fromImageReader(&reader);
}

// What is to be listed, and of which machine it is a trial.
std::vector<std::pair<QString, QString>> MachineList::namesAndTrials() const
{
    std::vector<std::pair<QString, QString>> all;
    QSet<QString> listed;
    for (const QString& name : m_library.names()) {
        all.emplace_back(name, QString());
        // Of long names the trials may be called the same.
        if (const QString trial = app::runningTrialOf(name, m_library); !trial.isEmpty() && !listed.contains(trial)) {
            all.emplace_back(trial, name);
            listed.insert(trial);
        }
    }
    return all;
}

// Rows come and go one by one, so that views keep their selection.
void MachineList::refresh()
{
    const auto wanted = namesAndTrials();
    const auto is = [](const Entry& entry, const auto& one) { return entry.name == one.first && entry.trialOf == one.second; };
    for (int row = int(m_entries.size()) - 1; row >= 0; --row)
        if (std::ranges::none_of(wanted, [&](const auto& one) { return is(m_entries[size_t(row)], one); })) {
            beginRemoveRows({}, row, row);
            m_entries.erase(m_entries.begin() + row);
            endRemoveRows();
        }
    for (size_t row = 0; row < wanted.size(); ++row)
        if (row >= m_entries.size() || !is(m_entries[row], wanted[row])) {
            Entry entry = makeEntry(wanted[row].first, wanted[row].second);
            beginInsertRows({}, int(row), int(row));
            m_entries.insert(m_entries.begin() + std::ptrdiff_t(row), std::move(entry));
            endInsertRows();
        }
    poll();
}

void MachineList::poll()
{
    for (Entry& entry : m_entries) {
        entry.link->lookForMachine();
        const QString before = entry.details;
        const QDateTime pictureBefore = entry.pictureTime;
        const bool savedBefore = entry.saved, interruptedBefore = entry.interrupted;
        describe(entry);
        if (entry.details != before || entry.pictureTime != pictureBefore || entry.saved != savedBefore
            || entry.interrupted != interruptedBefore)
            changed(entry.name);
    }
}

void MachineList::changed(const QString& name)
{
    if (const QModelIndex at = indexOf(name); at.isValid())
        emit dataChanged(at, at);
}

}
