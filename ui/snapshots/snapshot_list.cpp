#include "ui/snapshots/snapshot_list.h"

#include <algorithm>

#include "ui/snapshots/words.h"

namespace ui {

SnapshotList::SnapshotList(app::SnapshotShelf& shelf, QObject* parent) : QAbstractListModel(parent), m_shelf(shelf)
{
    connect(&shelf, &app::SnapshotShelf::changed, this, &SnapshotList::follow);
    connect(&shelf, &app::SnapshotShelf::progress, this, &SnapshotList::showProgress);
    follow();
}

int SnapshotList::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : int(m_rows.size());
}

QVariant SnapshotList::data(const QModelIndex& index, int role) const
{
    if (!index.isValid() || size_t(index.row()) >= m_rows.size())
        return {};
    const GraphRow& row = m_rows[size_t(index.row())];
    switch (role) {
    case idRole:
        return row.id;
    case kindRole:
        return int(row.kind);
    case rowRole:
        return QVariant::fromValue(row);
    default:
        break;
    }
    if (row.kind != GraphRow::Kind::snapshot)
        return dataOfOther(row, role);
    const auto* const snapshot = m_shelf.find(row.id);
    return snapshot ? dataOfSnapshot(*snapshot, role) : QVariant();
}

QVariant SnapshotList::dataOfSnapshot(const engine::SnapshotInfo& snapshot, int role) const
{
    switch (role) {
    case Qt::DisplayRole:
        return titleOf(snapshot);
    case Qt::EditRole:
        return QString::fromStdString(snapshot.name);
    case Qt::AccessibleTextRole:
        return spoken(snapshot);
    case Qt::ToolTipRole:
        return toolTip(snapshot);
    case pictureRole:
        return m_pictures.value(QString::fromStdString(snapshot.id));
    case noteRole:
        return QString::fromStdString(snapshot.note);
    case troubleRole:
        return QString::fromStdString(snapshot.trouble);
    case detailsRole:
        return details(snapshot);
    default:
        return {};
    }
}

QString SnapshotList::details(const engine::SnapshotInfo& snapshot) const
{
    if (!snapshot.trouble.empty())
        return tr("Can't be used");
    const QString note = QString::fromStdString(snapshot.note).simplified(), size = sizeInWords(snapshot.own_bytes);
    if (!snapshot.name.empty())
        return dateInWords(timeOf(snapshot)) + u'\n' + (note.isEmpty() ? size : size + QStringLiteral(" · ") + note);
    if (!note.isEmpty())
        return note + u'\n' + size;
    if (snapshot.kind == engine::SnapshotInfo::Kind::closing)
        return tr("Saved at closing") + u'\n' + size;
    return snapshot.kind == engine::SnapshotInfo::Kind::automatic ? tr("Automatic") + u'\n' + size : size;
}

QVariant SnapshotList::dataOfOther(const GraphRow& row, int role) const
{
    const bool pending = row.kind == GraphRow::Kind::pending;
    switch (role) {
    case Qt::DisplayRole:
        return !pending ? tr("You are here") : m_shelf.nameToCome().isEmpty() ? tr("New snapshot") : m_shelf.nameToCome();
    case Qt::EditRole:
        return pending ? m_shelf.nameToCome() : QString();
    case Qt::AccessibleTextRole: {
        const auto* const parent = m_shelf.find(m_shelf.present());
        return pending ? tr("New snapshot, being written")
            : !parent  ? tr("You are here")
                       : tr("You are here, after “%1”").arg(titleOf(*parent));
    }
    case detailsRole:
        return pending ? tr("Being written, %1 %").arg(int(m_progress * 100)) : QString();
    default:
        return {};
    }
}

QString SnapshotList::spoken(const engine::SnapshotInfo& snapshot) const
{
    QStringList parts{tr("Snapshot “%1”").arg(titleOf(snapshot))};
    if (!snapshot.name.empty())
        parts << dateInWords(timeOf(snapshot));
    if (snapshot.kind == engine::SnapshotInfo::Kind::automatic)
        parts << tr("automatic");
    parts << sizeInWords(snapshot.own_bytes);
    if (const auto* const parent = m_shelf.find(QString::fromStdString(snapshot.parent)))
        parts << tr("after “%1”").arg(titleOf(*parent));
    if (QString::fromStdString(snapshot.id) == m_shelf.present())
        parts << tr("you are right behind it");
    if (!snapshot.trouble.empty())
        parts << tr("can't be used");
    return parts.join(QStringLiteral(", "));
}

QString SnapshotList::toolTip(const engine::SnapshotInfo& snapshot) const
{
    QStringList lines{titleOf(snapshot)};
    if (!snapshot.note.empty())
        lines << QString::fromStdString(snapshot.note);
    if (!snapshot.trouble.empty())
        return (lines << QString::fromStdString(snapshot.trouble)).join(u'\n');
    lines << QLocale().toString(timeOf(snapshot), QLocale::LongFormat);
    const QString own = sizeInWords(snapshot.own_bytes), free = sizeInWords(snapshot.reclaimable_bytes);
    lines << tr("Took %1 when it was made; deleting it frees %2.").arg(own, free);
    if (!snapshot.with_memory)
        lines << tr("Taken while the machine was off.");
    return lines.join(u'\n');
}

bool SnapshotList::setData(const QModelIndex& index, const QVariant& value, int role)
{
    if (role != Qt::EditRole || !index.isValid())
        return false;
    const QString name = value.toString().trimmed();
    if (name == data(index, Qt::EditRole).toString())
        return true;
    const GraphRow row = data(index, rowRole).value<GraphRow>();
    if (row.kind == GraphRow::Kind::pending)
        m_shelf.setNameToCome(name);
    else if (row.kind == GraphRow::Kind::snapshot)
        m_shelf.rename(row.id, name);
    return row.kind != GraphRow::Kind::here;
}

Qt::ItemFlags SnapshotList::flags(const QModelIndex& index) const
{
    const bool here = data(index, kindRole).toInt() == int(GraphRow::Kind::here);
    return QAbstractListModel::flags(index) | (here ? Qt::NoItemFlags : Qt::ItemIsEditable);
}

QModelIndex SnapshotList::indexOf(const QString& id) const
{
    const auto found = std::ranges::find(m_rows, id, &GraphRow::id);
    return found == m_rows.end() ? QModelIndex() : index(int(found - m_rows.begin()));
}

QModelIndex SnapshotList::parentOf(const QModelIndex& index) const
{
    if (!index.isValid())
        return {};
    const GraphRow& row = m_rows[size_t(index.row())];
    if (!row.grows && !row.branchesOff)
        return {};
    const unsigned lane = row.branchesOff ? row.lane - 1 : row.lane;
    for (int at = index.row() - 1; at >= 0; --at)
        if (m_rows[size_t(at)].lane == lane && m_rows[size_t(at)].goesOn)
            return this->index(at);
    return {};
}

QModelIndex SnapshotList::childOf(const QModelIndex& index) const
{
    if (!index.isValid() || !m_rows[size_t(index.row())].goesOn)
        return {};
    return this->index(index.row() + 1);
}

void SnapshotList::follow()
{
    for (const engine::SnapshotInfo& snapshot : m_shelf.all())
        if (const QString id = QString::fromStdString(snapshot.id); !m_pictures.contains(id))
            m_pictures.insert(id, QPixmap::fromImage(pictureOf(snapshot)));
    // What was being written is the same row once it is there.
    const QString taken = m_shelf.lastTaken();
    if (!m_shelf.isTaking() && m_shelf.find(taken)) {
        const auto pending = std::ranges::find(m_rows, pending_id, &GraphRow::id);
        if (pending != m_rows.end()) {
            pending->id = taken;
            pending->kind = GraphRow::Kind::snapshot;
        }
    }
    if (!m_shelf.isTaking())
        m_progress = 0;
    // Until it can be shown as what it became.
    auto rows = layOut(m_shelf.all(), m_shelf.present(), m_shelf.isTaking());
    replaceRows(std::move(rows));
}

void SnapshotList::showProgress(double part)
{
    m_progress = part;
    if (const QModelIndex at = indexOf(pending_id); at.isValid())
        emit dataChanged(at, at);
}

// Only the rows between what stayed the same above and below are taken out and put in.
void SnapshotList::replaceRows(std::vector<GraphRow> rows)
{
    const size_t most = std::min(rows.size(), m_rows.size());
    size_t above = 0, below = 0;
    while (above < most && rows[above].id == m_rows[above].id)
        ++above;
    while (below < most - above && rows[rows.size() - 1 - below].id == m_rows[m_rows.size() - 1 - below].id)
        ++below;
    const int first = int(above), gone = int(m_rows.size() - above - below), fresh = int(rows.size() - above - below);
    if (gone > 0) {
        beginRemoveRows({}, first, first + gone - 1);
        m_rows.erase(m_rows.begin() + first, m_rows.begin() + first + gone);
        endRemoveRows();
    }
    if (fresh > 0) {
        beginInsertRows({}, first, first + fresh - 1);
        m_rows = std::move(rows);
        endInsertRows();
    } else {
        m_rows = std::move(rows);
    }
    if (!m_rows.empty())
        emit dataChanged(index(0), index(rowCount() - 1));
}

}
