#include "ui/snapshots/film_strip.h"

#include <QApplication>
#include <QHoverEvent>
#include <QKeyEvent>
#include <QPainter>
#include <QScreen>
#include <QScrollBar>
#include <QStyledItemDelegate>

#include "ui/snapshots/snapshot_delegate.h"
#include "ui/snapshots/words.h"

namespace ui {

namespace {

constexpr int margin = 4;
constexpr QSize picture_size(88, 55);

class FrameDelegate : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;

    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const override
    {
        return picture_size + QSize(2 * margin, 3 * margin + option.fontMetrics.lineSpacing());
    }

    void paint(QPainter* painter, const QStyleOptionViewItem& given, const QModelIndex& index) const override
    {
        QStyleOptionViewItem option = given;
        initStyleOption(&option, index);
        option.text.clear();
        const QStyle* style = option.widget ? option.widget->style() : QApplication::style();
        style->drawControl(QStyle::CE_ItemViewItem, &option, painter, option.widget);
        const QRect frame(option.rect.topLeft() + QPoint(margin, margin), picture_size);
        painter->save();
        drawPicture(*painter, frame, index.data(FilmStripModel::pictureRole).value<QPixmap>());
        const bool selected = option.state.testFlag(QStyle::State_Selected);
        if (index.data(FilmStripModel::isPresentRole).toBool()) {
            painter->setPen(QPen(option.palette.color(QPalette::Active, QPalette::Highlight), 3));
            painter->drawRect(frame);
        }
        painter->setPen(option.palette.color(selected ? QPalette::HighlightedText : QPalette::Text));
        const QRect line(frame.left(), frame.bottom() + margin, frame.width(), option.fontMetrics.lineSpacing());
        const QString text = index.data(FilmStripModel::timeRole).toString();
        painter->drawText(line, Qt::AlignCenter, option.fontMetrics.elidedText(text, Qt::ElideRight, line.width()));
        painter->restore();
    }
};

}

FilmStripModel::FilmStripModel(app::SnapshotShelf& shelf, QObject* parent) : QAbstractListModel(parent), m_shelf(shelf)
{
    connect(&shelf, &app::SnapshotShelf::changed, this, &FilmStripModel::follow);
    follow();
}

int FilmStripModel::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : int(m_ids.size());
}

QVariant FilmStripModel::data(const QModelIndex& index, int role) const
{
    const QString id = m_ids.value(index.row());
    const auto* const snapshot = m_shelf.find(id);
    if (!index.isValid() || !snapshot)
        return {};
    switch (role) {
    case idRole:
        return id;
    case Qt::DisplayRole:
        return titleOf(*snapshot);
    case Qt::AccessibleTextRole:
        return snapshot->name.empty() ? tr("Point in time, %1").arg(titleOf(*snapshot))
                                      : tr("Snapshot “%1”, %2").arg(titleOf(*snapshot), dateInWords(timeOf(*snapshot)));
    case pictureRole:
        return m_pictures.value(id);
    case timeRole:
        return snapshot->name.empty() ? QLocale().toString(timeOf(*snapshot).time(), QLocale::ShortFormat) : titleOf(*snapshot);
    case isPresentRole:
        return id == m_shelf.present();
    default:
        return {};
    }
}

// Points go at any place and come at the end.
void FilmStripModel::follow()
{
    QStringList ids;
    for (const engine::SnapshotInfo& snapshot : m_shelf.all())
        if (snapshot.trouble.empty())
            ids << QString::fromStdString(snapshot.id);
    for (qsizetype at = m_ids.size() - 1; at >= 0; --at)
        if (!ids.contains(m_ids[at])) {
            beginRemoveRows({}, int(at), int(at));
            m_ids.removeAt(at);
            endRemoveRows();
        }
    for (qsizetype at = 0; at < ids.size(); ++at)
        if (m_ids.value(at) != ids[at]) {
            if (const auto* const snapshot = m_shelf.find(ids[at]); !m_pictures.contains(ids[at]))
                m_pictures.insert(ids[at], QPixmap::fromImage(pictureOf(*snapshot)));
            beginInsertRows({}, int(at), int(at));
            m_ids.insert(at, ids[at]);
            endInsertRows();
        }
    if (!m_ids.isEmpty())
        emit dataChanged(index(0), index(rowCount() - 1));
}

FilmStrip::FilmStrip(app::SnapshotShelf& shelf, QWidget* parent)
    : QListView(parent),
      m_model(shelf),
      m_enlarged(nullptr, Qt::ToolTip | Qt::FramelessWindowHint | Qt::WindowTransparentForInput)
{
    setModel(&m_model);
    setItemDelegate(new FrameDelegate(this));
    setAccessibleName(tr("Film strip: the machine's snapshots in the order of time"));
    setFlow(QListView::LeftToRight);
    setWrapping(false);
    setMouseTracking(true);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    connect(horizontalScrollBar(), &QScrollBar::rangeChanged, this, &FilmStrip::fitHeight);
    fitHeight();
    m_enlarged.setMargin(margin);
    m_enlarged.setAttribute(Qt::WA_ShowWithoutActivating);

    connect(this, &QAbstractItemView::clicked, this, [this](const QModelIndex& index) {
        m_enlarged.hide();
        emit wanted(index.data(FilmStripModel::idRole).toString());
    });
    connect(this, &QAbstractItemView::entered, this, &FilmStrip::enlarge);
    connect(this, &QAbstractItemView::viewportEntered, &m_enlarged, &QWidget::hide);
    connect(&m_model, &QAbstractItemModel::rowsRemoved, &m_enlarged, &QWidget::hide);
    connect(&m_model, &QAbstractItemModel::rowsInserted, this, &QAbstractItemView::scrollToBottom, Qt::QueuedConnection);
}

// Room for the scroll bar is there as long as the bar is.
void FilmStrip::fitHeight()
{
    const bool scrolls = horizontalScrollBar()->maximum() > horizontalScrollBar()->minimum();
    const int bar = scrolls ? horizontalScrollBar()->sizeHint().height() : 0;
    setFixedHeight(picture_size.height() + 3 * margin + fontMetrics().lineSpacing() + bar + 2);
}

void FilmStrip::enlarge(const QModelIndex& index)
{
    const QPixmap picture = index.data(FilmStripModel::pictureRole).value<QPixmap>();
    const QString title = index.data(Qt::DisplayRole).toString();
    const int line = m_enlarged.fontMetrics().lineSpacing() + margin;
    QPixmap page(std::max(256, picture.width()), std::max(160, picture.height()) + line);
    page.fill(m_enlarged.palette().color(QPalette::ToolTipBase));
    QPainter painter(&page);
    drawPicture(painter, QRect(0, 0, page.width(), page.height() - line), picture);
    painter.setPen(m_enlarged.palette().color(QPalette::ToolTipText));
    painter.drawText(QRect(0, page.height() - line, page.width(), line), Qt::AlignCenter, title);
    painter.end();
    m_enlarged.setPixmap(page);
    m_enlarged.adjustSize();
    const QRect frame = visualRect(index);
    QPoint at = viewport()->mapToGlobal(QPoint(frame.center().x(), frame.top()));
    at -= QPoint(m_enlarged.width() / 2, m_enlarged.height() + margin);
    const QRect room = screen()->availableGeometry();
    at.setX(std::clamp(at.x(), room.left(), std::max(room.left(), room.right() - m_enlarged.width())));
    m_enlarged.move(at);
    m_enlarged.show();
}

void FilmStrip::keyPressEvent(QKeyEvent* event)
{
    if (event->key() == Qt::Key_Escape)
        return emit left();
    if ((event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) && currentIndex().isValid())
        return emit wanted(currentIndex().data(FilmStripModel::idRole).toString());
    QListView::keyPressEvent(event);
}

bool FilmStrip::viewportEvent(QEvent* event)
{
    if (event->type() == QEvent::Leave || event->type() == QEvent::Wheel || event->type() == QEvent::Hide)
        m_enlarged.hide();
    return QListView::viewportEvent(event);
}

}
