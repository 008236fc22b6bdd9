#pragma once
// Draws a snapshot as a row: its place in the tree, its picture, its name and what else is to be said. Edits its name.

#include <QPointer>
#include <QStyledItemDelegate>

namespace ui {

class SnapshotDelegate : public QStyledItemDelegate {
    Q_OBJECT

public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QWidget* createEditor(QWidget* parent, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    void setEditorData(QWidget* editor, const QModelIndex& index) const override;
    void updateEditorGeometry(QWidget* editor, const QStyleOptionViewItem& option, const QModelIndex& index) const override;

private:
    mutable QPointer<QWidget> m_filled;    // the editor that is open
    mutable QPersistentModelIndex m_edited;
};

// A picture within `frame`, on black, as large as it fits.
void drawPicture(QPainter& painter, const QRect& frame, const QPixmap& picture);

}
