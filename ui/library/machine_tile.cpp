#include "ui/library/machine_tile.h"

#include <QApplication>
#include <QPainter>

#include "ui/library/machine_list.h"

namespace ui {

namespace {

constexpr int margin = 8;
constexpr QSize picture_size(128, 80);

}

QSize MachineTile::sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const
{
    const int text = 3 * option.fontMetrics.lineSpacing() + margin;
    return {picture_size.width() * 3, std::max(picture_size.height(), text) + 2 * margin};
}

void MachineTile::paint(QPainter* painter, const QStyleOptionViewItem& given, const QModelIndex& index) const
{
    QStyleOptionViewItem option = given;
    initStyleOption(&option, index);
    const QString name = std::exchange(option.text, {});
    const QStyle* style = option.widget ? option.widget->style() : QApplication::style();
    style->drawControl(QStyle::CE_ItemViewItem, &option, painter, option.widget);

    const QRect inside = option.rect.adjusted(margin, margin, -margin, -margin);
    const QRect frame(inside.topLeft() + QPoint(0, (inside.height() - picture_size.height()) / 2), picture_size);
    const QRect pictureFrame = QStyle::visualRect(option.direction, option.rect, frame);
    painter->save();
    painter->fillRect(pictureFrame, Qt::black);
    const QPixmap picture = index.data(MachineList::pictureRole).value<QPixmap>();
    if (!picture.isNull()) {
        const bool off = index.data(MachineList::stateRole).toString().isEmpty();
        QRect target({}, picture.size().scaled(pictureFrame.size(), Qt::KeepAspectRatio));
        target.moveCenter(pictureFrame.center());
        painter->setRenderHint(QPainter::SmoothPixmapTransform);
        painter->setOpacity(off ? 0.6 : 1.0);
        painter->drawPixmap(target, picture);
        painter->setOpacity(1);
    }

    const bool selected = option.state.testFlag(QStyle::State_Selected);
    const auto group = option.state.testFlag(QStyle::State_Active) ? QPalette::Active : QPalette::Inactive;
    painter->setPen(option.palette.color(group, selected ? QPalette::HighlightedText : QPalette::Text));
    QRect line = inside.adjusted(picture_size.width() + 2 * margin, 0, 0, 0);
    const int height = option.fontMetrics.lineSpacing();
    line.setTop(line.top() + (line.height() - 3 * height) / 2);
    line.setHeight(height);
    const auto write = [&](const QString& text, bool bold) {
        QFont font = option.font;
        font.setBold(bold);
        painter->setFont(font);
        const QString fitting = QFontMetrics(font).elidedText(text, Qt::ElideRight, line.width());
        painter->drawText(QStyle::visualRect(option.direction, option.rect, line), Qt::AlignVCenter | Qt::AlignLeading, fitting);
        line.translate(0, height);
    };
    write(name, true);
    write(index.data(MachineList::stateTextRole).toString(), false);
    write(index.data(MachineList::detailsRole).toString(), false);
    painter->restore();
}

}
