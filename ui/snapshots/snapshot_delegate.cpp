#include "ui/snapshots/snapshot_delegate.h"

#include <QApplication>
#include <QLineEdit>
#include <QPainter>
#include <QPainterPath>

#include "ui/snapshots/snapshot_list.h"

namespace ui {

namespace {

constexpr int margin = 6, lane_width = 16, dot = 5;
constexpr QSize picture_size(80, 50);
constexpr int longest_name = 200;    // characters; the shelf cuts at bytes

GraphRow rowOf(const QModelIndex& index)
{
    return index.data(SnapshotList::rowRole).value<GraphRow>();
}

bool isHere(const QModelIndex& index)
{
    return rowOf(index).kind == GraphRow::Kind::here;
}

// Left to right; visualRect() turns it.
QRect pictureFrame(const QRect& row, const GraphRow& graph)
{
    const int lanes = int(graph.lane) + 1;
    const QPoint corner(row.left() + margin + lanes * lane_width, row.top() + (row.height() - picture_size.height()) / 2);
    return {corner, picture_size};
}

QRect textFrame(const QRect& row, const GraphRow& graph)
{
    QRect frame = row.adjusted(0, margin, -margin, -margin);
    const bool here = graph.kind == GraphRow::Kind::here;
    const QRect picture = pictureFrame(row, graph);
    frame.setLeft(here ? picture.left() + margin : picture.right() + 1 + 2 * margin);
    return frame;
}

void drawLines(QPainter& painter, const QStyleOptionViewItem& option, const GraphRow& row, const QColor& ink, const QColor& mark)
{
    const QRect& all = option.rect;
    const auto x = [&](unsigned lane) {
        const int from = margin + int(lane) * lane_width + lane_width / 2;
        return option.direction == Qt::RightToLeft ? all.right() - from : all.left() + from;
    };
    const QPointF at(x(row.lane), all.center().y());
    QColor faint = ink;
    faint.setAlphaF(0.55F);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(faint, 2));
    for (unsigned lane = 0; lane < most_lanes; ++lane)
        if (row.passing >> lane & 1)
            painter.drawLine(QPointF(x(lane), all.top()), QPointF(x(lane), all.bottom() + 1));
    if (row.grows)
        painter.drawLine(QPointF(at.x(), all.top()), at);
    if (row.goesOn)
        painter.drawLine(at, QPointF(at.x(), all.bottom() + 1));
    if (row.branchesOff) {
        const QPointF from(x(row.lane - 1), all.top());
        QPainterPath path(from);
        path.cubicTo(QPointF(from.x(), at.y()), QPointF(from.x(), at.y()), at);
        painter.drawPath(path);
    }
    const bool here = row.kind == GraphRow::Kind::here;
    painter.setPen(QPen(here ? mark : ink, 2));
    painter.setBrush(here ? mark : row.kind == GraphRow::Kind::pending ? option.palette.base().color() : ink);
    painter.drawEllipse(at, here ? dot + 1 : dot - 1, here ? dot + 1 : dot - 1);
}

}

void drawPicture(QPainter& painter, const QRect& frame, const QPixmap& picture)
{
    painter.fillRect(frame, Qt::black);
    if (picture.isNull())
        return;
    QRect target({}, picture.size().scaled(frame.size(), Qt::KeepAspectRatio));
    target.moveCenter(frame.center());
    painter.setRenderHint(QPainter::SmoothPixmapTransform);
    painter.drawPixmap(target, picture);
}

QSize SnapshotDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    const int line = option.fontMetrics.lineSpacing();
    if (isHere(index))
        return {picture_size.width() * 3, 2 * line + margin};
    return {picture_size.width() * 3, std::max(picture_size.height(), 3 * line) + 2 * margin};
}

void SnapshotDelegate::paint(QPainter* painter, const QStyleOptionViewItem& given, const QModelIndex& index) const
{
    QStyleOptionViewItem option = given;
    initStyleOption(&option, index);
    const QString name = std::exchange(option.text, {});
    const QStyle* style = option.widget ? option.widget->style() : QApplication::style();
    style->drawControl(QStyle::CE_ItemViewItem, &option, painter, option.widget);

    const GraphRow row = rowOf(index);
    const bool here = row.kind == GraphRow::Kind::here, selected = option.state.testFlag(QStyle::State_Selected);
    const auto group = option.state.testFlag(QStyle::State_Active) ? QPalette::Active : QPalette::Inactive;
    const QColor ink = option.palette.color(group, selected ? QPalette::HighlightedText : QPalette::Text);
    painter->save();
    drawLines(*painter, option, row, ink, selected ? ink : option.palette.color(QPalette::Active, QPalette::Highlight));
    if (!here)
        drawPicture(
            *painter, QStyle::visualRect(option.direction, option.rect, pictureFrame(option.rect, row)),
            index.data(SnapshotList::pictureRole).value<QPixmap>());

    QRect line = textFrame(option.rect, row);
    const int height = option.fontMetrics.lineSpacing();
    const QStringList details = index.data(SnapshotList::detailsRole).toString().split(u'\n', Qt::SkipEmptyParts);
    line.setTop(line.top() + (line.height() - (1 + int(details.size())) * height) / 2);
    line.setHeight(height);
    const auto write = [&](const QString& text, bool bold, float opacity) {
        QFont font = option.font;
        font.setBold(bold);
        QColor colour = ink;
        colour.setAlphaF(opacity);
        painter->setPen(colour);
        painter->setFont(font);
        const QString fitting = QFontMetrics(font).elidedText(text, Qt::ElideRight, line.width());
        painter->drawText(QStyle::visualRect(option.direction, option.rect, line), Qt::AlignVCenter | Qt::AlignLeading, fitting);
        line.translate(0, height);
    };
    if (!m_filled || m_edited != index) {
        write(name, here || !index.data(Qt::EditRole).toString().isEmpty(), 1);
        for (const QString& detail : details)
            write(detail, false, selected ? 1 : 0.7F);
    }
    painter->restore();
}

QWidget* SnapshotDelegate::createEditor(QWidget* parent, const QStyleOptionViewItem&, const QModelIndex& index) const
{
    auto* editor = new QLineEdit(parent);
    editor->setMaxLength(longest_name);
    editor->setPlaceholderText(tr("Name"));
    editor->setAccessibleName(tr("Name of “%1”").arg(index.data(Qt::DisplayRole).toString()));
    return editor;
}

// Once: the row may change while its name is typed.
void SnapshotDelegate::setEditorData(QWidget* editor, const QModelIndex& index) const
{
    if (std::exchange(m_filled, editor) == editor)
        return;
    m_edited = index;
    auto& line = static_cast<QLineEdit&>(*editor);
    line.setText(index.data(Qt::EditRole).toString());
    line.selectAll();
}

void SnapshotDelegate::updateEditorGeometry(QWidget* editor, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    QRect frame = textFrame(option.rect, rowOf(index));
    const int height = editor->sizeHint().height();
    frame.setTop(frame.top() + (frame.height() - height) / 2);
    frame.setHeight(height);
    editor->setGeometry(QStyle::visualRect(option.direction, option.rect, frame));
}

}
