#pragma once
// The rows of snapshots. Left and right follow the lines of the tree.

#include <QListView>

#include "ui/snapshots/snapshot_list.h"

namespace ui {

class SnapshotView : public QListView {
    Q_OBJECT

public:
    explicit SnapshotView(SnapshotList& list, QWidget* parent = nullptr);

signals:
    void wanted(const QModelIndex& index);    // Enter or a double click; never a single one, whatever the desktop's habit
    void left();    // Escape
    void edited();    // an editor was closed
    void editedAndMovedOn();    // it was, by a click on another row

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void closeEditor(QWidget* editor, QAbstractItemDelegate::EndEditHint hint) override;

private:
    SnapshotList& m_list;
};

}
