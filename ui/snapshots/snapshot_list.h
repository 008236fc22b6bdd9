#pragma once
// The snapshots of a machine as rows of a tree, for views. Rows keep their identity, so that a view keeps its selection and an
// editor stays open while a snapshot is being written.

#include <QAbstractListModel>
#include <QHash>
#include <QPixmap>

#include "app/session/snapshot_shelf.h"
#include "ui/snapshots/snapshot_graph.h"

namespace ui {

class SnapshotList : public QAbstractListModel {
    Q_OBJECT

public:
    enum Role {
        idRole = Qt::UserRole,
        kindRole,    // GraphRow::Kind as int
        rowRole,    // GraphRow, for the lines
        pictureRole,    // QPixmap, null where there is none
        detailsRole,    // one line or two: "Today, 14:02", "12.5 MB · a note"
        noteRole,
        troubleRole,    // why it can't be gone back to, "" where it can
    };

    explicit SnapshotList(app::SnapshotShelf& shelf, QObject* parent = nullptr);

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;

    QModelIndex indexOf(const QString& id) const;
    QString idAt(const QModelIndex& index) const { return data(index, idRole).toString(); }
    // Along the lines: what it grew from, what grew from it.
    QModelIndex parentOf(const QModelIndex& index) const;
    QModelIndex childOf(const QModelIndex& index) const;

private:
    void follow();
    void showProgress(double part);
    void replaceRows(std::vector<GraphRow> rows);
    QVariant dataOfSnapshot(const engine::SnapshotInfo& snapshot, int role) const;
    QVariant dataOfOther(const GraphRow& row, int role) const;
    QString details(const engine::SnapshotInfo& snapshot) const;
    QString spoken(const engine::SnapshotInfo& snapshot) const;
    QString toolTip(const engine::SnapshotInfo& snapshot) const;

    app::SnapshotShelf& m_shelf;
    std::vector<GraphRow> m_rows;
    QHash<QString, QPixmap> m_pictures;
    double m_progress = 0;
};

}

Q_DECLARE_METATYPE(ui::GraphRow)
