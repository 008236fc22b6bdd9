#pragma once
// Draws a machine as a row: its last picture, its name, its state in words.

#include <QStyledItemDelegate>

namespace ui {

class MachineTile : public QStyledItemDelegate {
    Q_OBJECT

public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

}
