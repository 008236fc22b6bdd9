#include "ui/snapshots/snapshot_view.h"

#include <QKeyEvent>

#include "ui/snapshots/snapshot_delegate.h"

namespace ui {

SnapshotView::SnapshotView(SnapshotList& list, QWidget* parent) : QListView(parent), m_list(list)
{
    setModel(&list);
    setItemDelegate(new SnapshotDelegate(this));
    setAccessibleName(tr("Snapshots"));
    setFrameShape(QFrame::NoFrame);
    setEditTriggers(QAbstractItemView::NoEditTriggers);
    setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setContextMenuPolicy(Qt::ActionsContextMenu);
    setResizeMode(QListView::Adjust);
    connect(this, &QAbstractItemView::doubleClicked, this, &SnapshotView::wanted);
}

void SnapshotView::keyPressEvent(QKeyEvent* event)
{
    // What the editor of a name leaves over, such as the Enter that ended it, is not meant for the list.
    if (state() == EditingState && !hasFocus())
        return;
    const bool mirrored = layoutDirection() == Qt::RightToLeft;
    if (event->key() == Qt::Key_Escape)
        return emit left();
    if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter)
        return emit wanted(currentIndex());
    if (event->key() != Qt::Key_Left && event->key() != Qt::Key_Right)
        return QListView::keyPressEvent(event);
    const bool up = (event->key() == Qt::Key_Left) != mirrored;
    if (const QModelIndex next = up ? m_list.parentOf(currentIndex()) : m_list.childOf(currentIndex()); next.isValid())
        setCurrentIndex(next);
}

void SnapshotView::closeEditor(QWidget* editor, QAbstractItemDelegate::EndEditHint hint)
{
    const bool clicked = hint == QAbstractItemDelegate::NoHint && hasFocus();
    QListView::closeEditor(editor, hint);
    clicked ? emit editedAndMovedOn() : emit edited();
}

}
