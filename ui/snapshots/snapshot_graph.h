#pragma once
// The tree of snapshots as rows from the oldest down, with the lines between them: each branch has a lane of its own, and the
// one that the present stands on is the straight one.

#include <vector>

#include <QString>

#include "engine/engine.h"

namespace ui {

struct GraphRow {
    enum class Kind : quint8 { snapshot, pending, here } kind = Kind::snapshot;
    QString id;    // pending_id and here_id where it isn't a snapshot
    unsigned lane = 0;    // at most most_lanes - 1
    quint32 passing = 0;    // bit n: a line runs past it in lane n
    bool grows = false;    // from the row's parent, in the same lane
    bool branchesOff = false;    // from the lane before its own
    bool goesOn = false;    // something grew from it

    bool operator==(const GraphRow&) const = default;
};

constexpr unsigned most_lanes = 8;
inline const QString pending_id = QStringLiteral("pending"), here_id = QStringLiteral("here");

// `present` is the snapshot that the machine's present grew from; with `pending` another one is being taken of it. Automatic
// snapshots along a way are left out: they are on the film strip. Empty where there are no snapshots at all.
std::vector<GraphRow> layOut(const std::vector<engine::SnapshotInfo>& snapshots, const QString& present, bool pending);

// Which of them layOut() leaves out.
bool isAlongTheWay(const engine::SnapshotInfo& snapshot, size_t children, const QString& present);

}
