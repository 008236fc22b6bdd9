#include "app/session/snapshot_shelf.h"

#include <algorithm>

#include "app/session/control_socket.h"

namespace app {

namespace {

constexpr qsizetype longest_name = 200, longest_note = 8000;    // bytes, see engine::SnapshotInfo
constexpr int settle_milliseconds = 300;

// The longest beginning that fits, in whole characters.
std::string fitting(QString text, qsizetype bytes)
{
    while (text.toUtf8().size() > bytes)
        text.chop(text.back().isLowSurrogate() ? 2 : 1);
    return text.toStdString();
}

}

struct SnapshotShelf::Seen {
    engine::Result<void> changed;
    bool read = false;
    std::vector<engine::SnapshotInfo> all;
    QString present;
};

SnapshotShelf::SnapshotShelf(
    const engine::MachineDefinition& definition, MachineSession* session, TreeFactory open, QObject* parent)
    : QObject(parent),
      m_definition(definition),
      m_session(session),
      m_open(std::move(open))
{
    m_disk.setMaxThreadCount(1);
    m_settle.setSingleShot(true);
    m_settle.setInterval(settle_milliseconds);
    m_settle.callOnTimeout(this, &SnapshotShelf::refresh);
    // Others may put the snapshots in order too, such as the command line.
    connect(&m_watcher, &QFileSystemWatcher::directoryChanged, &m_settle, qOverload<>(&QTimer::start));
    refresh();
}

SnapshotShelf::SnapshotShelf(const engine::MachineDefinition& definition, TreeFactory open, QObject* parent)
    : SnapshotShelf(definition, nullptr, std::move(open), parent)
{
}

SnapshotShelf::SnapshotShelf(MachineSession& session, TreeFactory open, QObject* parent)
    : SnapshotShelf(session.definition(), &session, std::move(open), parent)
{
    connect(&session, &MachineSession::snapshotTaken, this, &SnapshotShelf::takenOne);
    connect(&session, &MachineSession::snapshotFailed, this, &SnapshotShelf::fail);
    connect(&session, &MachineSession::wentBack, this, &SnapshotShelf::wentBackTo);
    connect(&session, &MachineSession::goingBackFailed, this, &SnapshotShelf::fail);
    connect(&session, &MachineSession::snapshotProgress, this, [this](const engine::SnapshotProgress& state) {
        emit progress(state.total ? double(state.done) / double(state.total) : 0);
    });
    connect(&session, &MachineSession::stopped, this, [this] {
        m_jobs.clear();
        m_job.reset();
        m_taking = false;
        refresh();
    });
    connect(&session, &MachineSession::stateChanged, this, [this](engine::MachineState state) {
        m_moved |= state == engine::MachineState::running;
    });
}

SnapshotShelf::~SnapshotShelf()
{
    // Another window of the same machine may still bring back what was deleted there.
    const bool ours = m_session ? !m_session->isTrial() : !m_removed.empty();
    onDisk([ours](engine::SnapshotTree& tree) {
        const auto swept = ours ? tree.sweep() : tree.free_unneeded();
        return swept ? engine::Result<void>() : swept.error();
    });
    m_disk.waitForDone();
}

const engine::SnapshotInfo* SnapshotShelf::find(const QString& id) const
{
    const auto found = std::ranges::find(m_all, id.toStdString(), &engine::SnapshotInfo::id);
    return found == m_all.end() ? nullptr : &*found;
}

void SnapshotShelf::take(Kind kind, const QString& name, const QString& note)
{
    if (kind == Kind::manual) {
        if (m_taking)
            return;
        m_taking = true;
        m_nameToCome.clear();
        m_lastTaken.clear();
    }
    if (!m_session)
        return takeOfDisks({fitting(name, longest_name), fitting(note, longest_note), kind});
    ask({Job::What::take, {fitting(name, longest_name), fitting(note, longest_note), kind}, {}, {}});
    if (kind == Kind::manual)
        emit changed();
}

void SnapshotShelf::takeOfDisks(const engine::SnapshotRequest& request)
{
    const auto id = std::make_shared<std::string>();
    const auto take = [id, request, definition = m_definition](engine::SnapshotTree&) -> engine::Result<void> {
        // It may have been started meanwhile.
        const auto lock = MachineLock::take(QString::fromStdString(definition.name));
        if (!lock)
            return lock.error();
        const auto taken = engine::take_snapshot_of_stopped(definition, request);
        if (!taken)
            return taken.error();
        *id = taken.value().id;
        return {};
    };
    onDisk(take, [this, id, kind = request.kind] {
        m_taking = false;
        m_lastTaken = QString::fromStdString(*id);
        if (!id->empty() && !m_nameToCome.isEmpty())
            rename(m_lastTaken, m_nameToCome);
        emit changed();
        if (!id->empty())
            emit taken(m_lastTaken, kind);
    });
    emit changed();
}

void SnapshotShelf::goBack(const QString& id, Present present, const QString& note)
{
    if (present == Present::kept && m_moved)
        ask({Job::What::keep, {{}, fitting(note, longest_note), Kind::automatic}, id, {}});
    else
        ask({Job::What::goBack, {}, id, {}});
}

void SnapshotShelf::saveAndStop()
{
    ask({Job::What::save, {}, {}, {}});
}

void SnapshotShelf::ask(Job job)
{
    m_jobs.push_back(std::move(job));
    // Not at once, so that whoever asked hears of a refusal after the question.
    QMetaObject::invokeMethod(this, &SnapshotShelf::next, Qt::QueuedConnection);
}

void SnapshotShelf::next()
{
    if (m_job || m_session->isSnapshotUnderWay())
        return;
    if (m_jobs.empty()) {
        emit idle();
        return;
    }
    m_job = std::move(m_jobs.front());
    m_jobs.pop_front();
    if (const auto begun = begin(*m_job); !begun)
        fail(begun.error());
}

engine::Result<void> SnapshotShelf::begin(const Job& job)
{
    switch (job.what) {
    case Job::What::take:
    case Job::What::keep:
        return m_session->takeSnapshot(job.request);
    case Job::What::goBack:
        return m_session->goBack(job.id);
    case Job::What::save:
        return m_session->saveAndStop();
    }
    return {};
}

void SnapshotShelf::takenOne(const engine::SnapshotInfo& snapshot)
{
    m_moved = m_session->state() == engine::MachineState::running;
    const QString id = QString::fromStdString(snapshot.id);
    const auto job = std::exchange(m_job, {});
    if (job && job->what == Job::What::keep)
        m_jobs.push_front({Job::What::goBack, {}, job->id, id});
    if (job && job->what == Job::What::take && job->request.kind == Kind::manual) {
        m_lastTaken = id;
        if (!m_nameToCome.isEmpty())
            rename(id, m_nameToCome);
    }
    onDisk({});
    if (job && job->what == Job::What::take)
        emit taken(id, job->request.kind);
    next();
}

void SnapshotShelf::wentBackTo(const QString& id)
{
    m_moved = m_session->state() == engine::MachineState::running;
    const auto job = std::exchange(m_job, {});
    // Once what was kept is listed, so that who hears of it can go there.
    onDisk({}, [this, id, job] {
        if (job)
            emit wentBack(id, job->kept);
    });
    next();
}

void SnapshotShelf::fail(const engine::Error& error)
{
    const auto job = std::exchange(m_job, {});
    if (!job)
        return next();
    switch (job->what) {
    case Job::What::take:
        if (job->request.kind == Kind::manual) {
            m_taking = false;
            emit changed();
        }
        emit takingFailed(error);
        break;
    case Job::What::keep:
    case Job::What::goBack:
        emit goingBackFailed(job->id, error, job->what == Job::What::keep ? Present::kept : Present::lost);
        break;
    case Job::What::save:
        emit savingFailed(error);
        break;
    }
    next();
}

void SnapshotShelf::setNameToCome(const QString& name)
{
    m_nameToCome = name;
    if (!m_lastTaken.isEmpty())
        rename(m_lastTaken, name);
    emit changed();
}

void SnapshotShelf::rename(const QString& id, const QString& name)
{
    onDisk([id = id.toStdString(), name = fitting(name, longest_name)](engine::SnapshotTree& tree) {
        return tree.rename(id, name);
    });
}

void SnapshotShelf::setNote(const QString& id, const QString& note)
{
    onDisk([id = id.toStdString(), note = fitting(note, longest_note)](engine::SnapshotTree& tree) {
        return tree.set_note(id, note);
    });
}

void SnapshotShelf::remove(const QString& id)
{
    const auto* const snapshot = find(id);
    if (!snapshot)
        return;
    m_removed.push_back(*snapshot);
    onDisk([this, id](engine::SnapshotTree& tree) {
        auto removed = tree.remove(id.toStdString());
        if (!removed)
            QMetaObject::invokeMethod(
                this, [this, id] { forgetRemoved(id); }, Qt::QueuedConnection);
        return removed;
    });
}

void SnapshotShelf::undoRemove(const QString& id)
{
    forgetRemoved(id);
    onDisk([id = id.toStdString()](engine::SnapshotTree& tree) { return tree.undo_remove(id); });
}

void SnapshotShelf::forgetRemoved(const QString& id)
{
    std::erase_if(m_removed, [&](const engine::SnapshotInfo& removed) { return removed.id == id.toStdString(); });
}

void SnapshotShelf::drop(const QStringList& ids)
{
    if (ids.isEmpty())
        return;
    std::vector<std::string> dropped;
    for (const QString& id : ids)
        dropped.push_back(id.toStdString());
    const auto drop = [dropped](engine::SnapshotTree& tree) {
        const auto freed = tree.drop(dropped);
        return freed ? engine::Result<void>() : freed.error();
    };
    onDisk(drop, [this] {
        if (m_session)
            m_session->mergeLayers();
    });
}

void SnapshotShelf::refresh()
{
    if (!m_refreshing.exchange(true))
        onDisk([this](engine::SnapshotTree&) {
            m_refreshing = false;
            return engine::Result<void>();
        });
}

// Carries out `change`, if any, then looks at everything anew.
void SnapshotShelf::onDisk(Change change, std::function<void()> shown)
{
    m_disk.start([this, change = std::move(change), shown = std::move(shown)] {
        const auto seen = std::make_shared<const Seen>(look(change));
        const auto tell = [this, seen, shown] {
            show(*seen);
            if (shown)
                shown();
        };
        QMetaObject::invokeMethod(this, tell, Qt::QueuedConnection);
    });
}

SnapshotShelf::Seen SnapshotShelf::look(const Change& change)
{
    Seen seen;
    if (!m_tree) {
        auto tree = m_open(m_definition.snapshots);
        if (!tree) {
            m_refreshing = false;
            seen.changed = tree.error();
            return seen;
        }
        m_tree = std::move(tree.value());
    }
    if (change)
        seen.changed = change(*m_tree);
    seen.all = m_tree->list();
    seen.present = QString::fromStdString(m_tree->present());
    seen.read = true;
    return seen;
}

void SnapshotShelf::show(const Seen& seen)
{
    if (seen.read) {
        m_all = seen.all;
        m_present = seen.present;
        m_read = true;
        // It may be made only now, by the first snapshot.
        if (m_watcher.directories().isEmpty())
            m_watcher.addPath(QString::fromStdString(m_definition.snapshots));
    }
    if (m_taking && find(m_lastTaken))
        m_taking = false;
    emit changed();
    if (!seen.changed)
        emit changeFailed(seen.changed.error());
}

}
