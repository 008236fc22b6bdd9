#pragma once
// Snapshots taken by the clock, and which of them are kept: the further back, the wider apart, within a budget.

#include <chrono>
#include <span>

#include "app/session/snapshot_shelf.h"
#include "app/settings/settings.h"

namespace app {

// What thinning looks at.
struct PointInTime {
    QString id;
    qint64 takenAt = 0;    // milliseconds since 1970
    quint64 bytes = 0;
    bool droppable = true;
    bool endsBranch = false;    // nothing grew from it: dropped only after all others
};

// The ids to drop, so that at most `most` points of at most `budget` bytes remain; `points` are oldest first. Dropped first is
// the point whose loss leaves the smallest hole for its age, so that the ages of what remains grow exponentially. The newest
// one stays, and the oldest while there are others.
QStringList pointsToDrop(std::span<const PointInTime> points, qint64 now, quint64 budget, size_t most);

class AutomaticPoints : public QObject {
    Q_OBJECT

public:
    static constexpr size_t most = 64;

    // Both outlive it.
    AutomaticPoints(SnapshotShelf& shelf, MachineSession& session, QObject* parent = nullptr);

    // Interval and budget as the person has chosen them.
    void follow(const Settings& settings);
    // A point is due this often while the machine runs; 0: never.
    void setInterval(std::chrono::minutes interval);
    void setBudget(quint64 bytes);
    std::chrono::milliseconds interval() const
    {
        return m_timer.isActive() ? m_timer.intervalAsDuration() : std::chrono::milliseconds(0);
    }

private:
    void takePoint();
    void thinOut();

    SnapshotShelf& m_shelf;
    MachineSession& m_session;
    QTimer m_timer;
    quint64 m_budget = 0;    // 0: without limit
    QStringList m_dropped;    // asked for, perhaps not done yet
};

}
