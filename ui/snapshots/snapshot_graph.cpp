#include "ui/snapshots/snapshot_graph.h"

#include <algorithm>
#include <map>

namespace ui {

namespace {

using engine::SnapshotInfo;

constexpr size_t none = size_t(-1);

class Layout {
public:
    Layout(const std::vector<SnapshotInfo>& snapshots, const QString& present, bool pending)
        : m_snapshots(snapshots),
          m_children(snapshots.size()),
          m_seen(snapshots.size()),
          m_toPresent(snapshots.size()),
          m_pending(pending)
    {
        for (size_t at = 0; at < snapshots.size(); ++at)
            m_places.emplace(snapshots[at].id, at);
        findParents(present);
    }

    std::vector<GraphRow> rows()
    {
        for (size_t at = 0; at < m_snapshots.size(); ++at)
            if (m_shown[at] && m_parents[at] == none)
                follow(at);
        // Files that somebody tampered with may name each other as parents.
        for (size_t at = 0; at < m_snapshots.size(); ++at)
            if (m_shown[at] && !m_seen[at])
                follow(at);
        if (m_present == none)
            addPresent(0, GraphRow{});
        return std::move(m_rows);
    }

private:
    struct Step {
        size_t at;    // none: the present
        unsigned lane;
        GraphRow link;
    };

    size_t place(const std::string& id) const
    {
        const auto found = m_places.find(id);
        return found == m_places.end() ? none : found->second;
    }

    // The nearest forebear that is shown.
    size_t shownParent(size_t at) const
    {
        size_t up = place(m_snapshots[at].parent);
        for (size_t step = 0; up != none && !m_shown[up] && step < m_snapshots.size(); ++step)
            up = place(m_snapshots[up].parent);
        return up == none || !m_shown[up] || up == at ? none : up;
    }

    void findParents(const QString& present)
    {
        std::vector<size_t> counts(m_snapshots.size());
        for (const SnapshotInfo& snapshot : m_snapshots)
            if (const size_t up = place(snapshot.parent); up != none)
                ++counts[up];
        for (size_t at = 0; at < m_snapshots.size(); ++at)
            m_shown.push_back(!isAlongTheWay(m_snapshots[at], counts[at], present));
        for (size_t at = 0; at < m_snapshots.size(); ++at) {
            m_parents.push_back(m_shown[at] ? shownParent(at) : none);
            if (m_parents[at] != none)
                m_children[m_parents[at]].push_back(at);
        }
        m_present = place(present.toStdString());
        for (size_t at = m_present; at != none && !m_toPresent[at]; at = m_parents[at])
            m_toPresent[at] = true;
    }

    void addPresent(unsigned lane, GraphRow link)
    {
        for (const auto kind : {GraphRow::Kind::pending, GraphRow::Kind::here}) {
            if (kind == GraphRow::Kind::pending && !m_pending)
                continue;
            link.kind = kind;
            link.id = kind == GraphRow::Kind::here ? here_id : pending_id;
            link.lane = lane;
            link.passing = m_open & ~(1u << lane);
            link.goesOn = kind == GraphRow::Kind::pending;
            m_rows.push_back(link);
            link.grows = true;
            link.branchesOff = false;
        }
    }

    void follow(size_t root)
    {
        std::vector<Step> steps{{root, 0, {}}};
        while (!steps.empty()) {
            const Step step = steps.back();
            steps.pop_back();
            m_open &= ~(1u << step.lane);
            if (step.at == none)
                addPresent(step.lane, step.link);
            else if (!m_seen[step.at])
                add(step, steps);
        }
    }

    void add(const Step& step, std::vector<Step>& steps)
    {
        m_seen[step.at] = true;
        const auto& children = m_children[step.at];
        const bool here = step.at == m_present;
        // The way to the present is the straight one, otherwise that to the newest.
        const auto way = std::ranges::find_if(children, [&](size_t child) { return m_toPresent[child]; });
        const size_t main = here || children.empty() ? none : way != children.end() ? *way : children.back();
        GraphRow row = step.link;
        row.id = QString::fromStdString(m_snapshots[step.at].id);
        row.lane = step.lane;
        row.passing = m_open & ~(1u << step.lane);
        row.goesOn = here || !children.empty();
        m_rows.push_back(row);
        if (!row.goesOn)
            return;
        GraphRow straight, side;
        straight.grows = true;
        side.branchesOff = true;
        steps.push_back({main, step.lane, straight});
        const unsigned beside = std::min(step.lane + 1, most_lanes - 1);
        for (auto child = children.rbegin(); child != children.rend(); ++child)
            if (*child != main) {
                steps.push_back({*child, beside, beside == step.lane ? straight : side});
                m_open |= 1u << step.lane;
            }
    }

    const std::vector<SnapshotInfo>& m_snapshots;
    std::map<std::string, size_t> m_places;
    std::vector<bool> m_shown;
    std::vector<size_t> m_parents;
    std::vector<std::vector<size_t>> m_children;
    std::vector<bool> m_seen, m_toPresent;
    size_t m_present = none;
    quint32 m_open = 0;    // lanes whose line goes on further down
    bool m_pending;
    std::vector<GraphRow> m_rows;
};

}

bool isAlongTheWay(const SnapshotInfo& snapshot, size_t children, const QString& present)
{
    return snapshot.kind == SnapshotInfo::Kind::automatic && snapshot.name.empty() && snapshot.note.empty() && children == 1
        && snapshot.trouble.empty() && snapshot.id != present.toStdString();
}

std::vector<GraphRow> layOut(const std::vector<SnapshotInfo>& snapshots, const QString& present, bool pending)
{
    if (snapshots.empty() && !pending)
        return {};
    return Layout(snapshots, present, pending).rows();
}

}
