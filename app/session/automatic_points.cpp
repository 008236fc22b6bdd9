#include "app/session/automatic_points.h"

#include <algorithm>
#include <limits>
#include <set>

#include <QDateTime>

namespace app {

namespace {

using namespace std::chrono_literals;
using choice::RoomForPoints;

std::chrono::minutes intervalOf(choice::AutomaticPoints choice)
{
    switch (choice) {
    case choice::AutomaticPoints::off:
        return 0min;
    case choice::AutomaticPoints::everyMinute:
        return 1min;
    case choice::AutomaticPoints::every5Minutes:
        return 5min;
    case choice::AutomaticPoints::every15Minutes:
        return 15min;
    case choice::AutomaticPoints::everyHour:
        return 60min;
    }
    return 0min;
}

// GiB 1, 4, 16, 64.
quint64 bytesOf(RoomForPoints choice)
{
    return quint64(1) << (30 + 2 * int(choice));
}

// How wide the hole is that the point at `at` would leave, in terms of its age.
double holeWithout(const std::vector<PointInTime>& points, size_t at, qint64 now)
{
    const double age = double(std::max<qint64>(1, now - points[at].takenAt));
    return double(points[at + 1].takenAt - points[at - 1].takenAt) / age;
}

// points.size(): none may go.
size_t mostSuperfluous(const std::vector<PointInTime>& points, qint64 now, bool endsToo)
{
    size_t best = points.size();
    double smallest = std::numeric_limits<double>::infinity();
    for (size_t at = 1; at + 1 < points.size(); ++at)
        if (points[at].droppable && (endsToo || !points[at].endsBranch))
            if (const double hole = holeWithout(points, at, now); hole < smallest) {
                smallest = hole;
                best = at;
            }
    if (best == points.size() && points.size() > 1 && points[0].droppable && (endsToo || !points[0].endsBranch))
        return 0;
    return best;
}

}

QStringList pointsToDrop(std::span<const PointInTime> all, qint64 now, quint64 budget, size_t most)
{
    std::vector<PointInTime> points(all.begin(), all.end());
    quint64 bytes = 0;
    for (const PointInTime& point : points)
        bytes += point.bytes;
    QStringList dropped;
    while (points.size() > most || bytes > budget) {
        size_t at = mostSuperfluous(points, now, false);
        if (at == points.size())
            at = mostSuperfluous(points, now, true);
        if (at == points.size())
            break;
        dropped << points[at].id;
        bytes -= points[at].bytes;
        points.erase(points.begin() + std::ptrdiff_t(at));
    }
    return dropped;
}

AutomaticPoints::AutomaticPoints(SnapshotShelf& shelf, MachineSession& session, QObject* parent)
    : QObject(parent),
      m_shelf(shelf),
      m_session(session)
{
    m_timer.callOnTimeout(this, &AutomaticPoints::takePoint);
    connect(&shelf, &SnapshotShelf::changed, this, &AutomaticPoints::thinOut);
}

// A trial has none: it is meant to leave nothing behind.
void AutomaticPoints::follow(const Settings& settings)
{
    setInterval(m_session.isTrial() ? 0min : intervalOf(settings.get(setting::automatic_points)));
    setBudget(bytesOf(settings.get(setting::room_for_points)));
}

void AutomaticPoints::setInterval(std::chrono::minutes interval)
{
    if (interval.count() == 0)
        m_timer.stop();
    else if (!m_timer.isActive() || m_timer.intervalAsDuration() != interval)
        m_timer.start(interval);
}

void AutomaticPoints::setBudget(quint64 bytes)
{
    m_budget = bytes;
    thinOut();
}

void AutomaticPoints::takePoint()
{
    if (m_session.state() == engine::MachineState::running && !m_session.isSnapshotUnderWay())
        m_shelf.take(SnapshotShelf::Kind::automatic);
}

// What a person named or noted is theirs, and what the present grew from is needed to say where one is.
void AutomaticPoints::thinOut()
{
    if (m_session.isTrial())
        return;
    std::set<std::string> parents;
    for (const engine::SnapshotInfo& snapshot : m_shelf.all())
        parents.insert(snapshot.parent);
    std::vector<PointInTime> points;
    for (const engine::SnapshotInfo& snapshot : m_shelf.all()) {
        const QString id = QString::fromStdString(snapshot.id);
        if (snapshot.kind == SnapshotShelf::Kind::automatic && snapshot.name.empty() && !m_dropped.contains(id))
            points.push_back(
                {id, qint64(snapshot.taken_at), snapshot.own_bytes, id != m_shelf.present(), !parents.contains(snapshot.id)});
    }
    const quint64 budget = m_budget ? m_budget : std::numeric_limits<quint64>::max();
    const QStringList superfluous = pointsToDrop(points, QDateTime::currentMSecsSinceEpoch(), budget, most);
    m_dropped << superfluous;
    m_shelf.drop(superfluous);
}

}
