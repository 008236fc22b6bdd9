#pragma once
// The snapshots of a running machine, for whoever shows them: what lies on disk, read and changed on a thread of its own,
// and a queue of what is asked of the machine, which does one such thing at a time. Used on the session's thread, where the
// signals arrive; nothing waits but the destructor. QtCore only.

#include <atomic>
#include <deque>

#include <QFileSystemWatcher>
#include <QThreadPool>
#include <QTimer>

#include "app/session/machine_session.h"

namespace app {

class SnapshotShelf : public QObject {
    Q_OBJECT

public:
    using TreeFactory = std::function<engine::Result<std::unique_ptr<engine::SnapshotTree>>(const std::string& directory)>;
    using Kind = engine::SnapshotInfo::Kind;
    enum class Present { kept, lost };

    // Of a machine that is off: take() keeps its disks, and nothing else can be asked of it.
    explicit SnapshotShelf(
        const engine::MachineDefinition& definition, TreeFactory open = &engine::SnapshotTree::open, QObject* parent = nullptr);
    // The session outlives the shelf and has a place for snapshots.
    explicit SnapshotShelf(MachineSession& session, TreeFactory open = &engine::SnapshotTree::open, QObject* parent = nullptr);
    // What was deleted is now gone for good; waits until its room is free.
    ~SnapshotShelf() override;

    const std::vector<engine::SnapshotInfo>& all() const { return m_all; }    // oldest first
    const engine::SnapshotInfo* find(const QString& id) const;    // nullptr: there is none
    const QString& present() const { return m_present; }    // the snapshot that the machine's present grew from
    bool isRead() const { return m_read; }    // false until the disk was looked at

    // Carried out in order. How it went comes as a signal.
    void take(Kind kind, const QString& name = {}, const QString& note = {});
    // With Present::kept an automatic snapshot with this note is taken first, unless nothing has happened since the last one.
    void goBack(const QString& id, Present present, const QString& note = {});
    void saveAndStop();

    // A snapshot that a person asked for is not there yet. It can be named already.
    bool isTaking() const { return m_taking; }
    const QString& nameToCome() const { return m_nameToCome; }
    void setNameToCome(const QString& name);
    const QString& lastTaken() const { return m_lastTaken; }    // what became of it

    // Names and notes are cut to what a snapshot may have.
    void rename(const QString& id, const QString& name);
    void setNote(const QString& id, const QString& note);
    // Deleted snapshots can be brought back for as long as this lives.
    void remove(const QString& id);
    void undoRemove(const QString& id);
    bool canUndoRemove() const { return !m_removed.empty(); }
    const engine::SnapshotInfo& lastRemoved() const { return m_removed.back(); }
    // Deletes without a way back, and frees their room; what waits to be brought back stays.
    void drop(const QStringList& ids);
    void refresh();

signals:
    void changed();    // all(), present(), isTaking(), canUndoRemove()
    void progress(double part);    // 0 to 1, of the snapshot that is being written
    void idle();    // nothing is asked of the machine any more
    void taken(const QString& id, app::SnapshotShelf::Kind kind);
    void takingFailed(const engine::Error& error);
    void wentBack(const QString& id, const QString& kept);    // kept: what the present became, "" where it wasn't kept
    void goingBackFailed(const QString& id, const engine::Error& error, app::SnapshotShelf::Present present);
    void savingFailed(const engine::Error& error);
    void changeFailed(const engine::Error& error);

private:
    struct Job {
        enum class What { take, keep, goBack, save } what;
        engine::SnapshotRequest request;
        QString id;    // to go back to
        QString kept;
    };
    using Change = std::function<engine::Result<void>(engine::SnapshotTree&)>;
    struct Seen;

    void takeOfDisks(const engine::SnapshotRequest& request);
    SnapshotShelf(const engine::MachineDefinition& definition, MachineSession* session, TreeFactory open, QObject* parent);
    void ask(Job job);
    void next();
    engine::Result<void> begin(const Job& job);
    void takenOne(const engine::SnapshotInfo& snapshot);
    void wentBackTo(const QString& id);
    void fail(const engine::Error& error);
    void forgetRemoved(const QString& id);
    void onDisk(Change change, std::function<void()> shown = {});
    Seen look(const Change& change);
    void show(const Seen& seen);

    engine::MachineDefinition m_definition;
    MachineSession* const m_session;    // null: of a machine that is off
    TreeFactory m_open;
    std::unique_ptr<engine::SnapshotTree> m_tree;    // the disk's thread alone
    QThreadPool m_disk;    // one thread
    std::atomic<bool> m_refreshing = false;
    QFileSystemWatcher m_watcher;
    QTimer m_settle;

    std::vector<engine::SnapshotInfo> m_all;
    std::vector<engine::SnapshotInfo> m_removed;    // in the order they were deleted
    QString m_present;
    std::deque<Job> m_jobs;
    std::optional<Job> m_job;    // under way
    bool m_read = false, m_taking = false;
    bool m_moved = true;    // since the machine was last saved, as far as is known
    QString m_nameToCome, m_lastTaken;
};

}
