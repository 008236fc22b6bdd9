// Frames drawn by QPainter, without OpenGL. Only what changed is painted.

#include <QPaintEvent>
#include <QPainter>

#include "display/canvas.h"
#include "display/screenshot.h"

namespace display {

namespace {

constexpr QColor dim_veil(0, 0, 0, 128);

class PainterCanvas : public QWidget, public Canvas {
public:
    explicit PainterCanvas(QWidget* parent) : QWidget(parent) { setAttribute(Qt::WA_OpaquePaintEvent); }

    QWidget* widget() override { return this; }
    QString name() const override { return QStringLiteral("QPainter"); }

    void show(std::shared_ptr<const engine::Frame> frame) override
    {
        const QSize before = m_picture.size();
        m_picture.put(std::move(frame));
        if (m_picture.size() != before)
            return update();
        const QRect changed = placeDamage(m_picture.damage(), m_picture.size(), placement());
        const qreal ratio = devicePixelRatioF();
        update(QRectF(QPointF(changed.topLeft()) / ratio, QSizeF(changed.size()) / ratio).toAlignedRect());
        m_picture.drawn();
    }

protected:
    void paintEvent(QPaintEvent* event) override
    {
        QPainter painter(this);
        const QRect target = placement();
        painter.scale(1 / devicePixelRatioF(), 1 / devicePixelRatioF());
        const QSize whole = devicePixels(size(), devicePixelRatioF());
        const QRegion border = QRegion(QRect(QPoint(), whole)) - target;
        for (const QRect& part : border)
            painter.fillRect(part, Qt::black);
        if (target.isEmpty())
            return;
        const QImage image = imageOf(*m_picture.frame());
        const bool inWholeSteps = target.width() % image.width() == 0 && target.height() % image.height() == 0;
        const bool smooth = m_filter == Filter::smooth || (m_filter == Filter::sharp && !inWholeSteps);
        painter.setRenderHint(QPainter::SmoothPixmapTransform, smooth);
        painter.drawImage(target, image);
        if (m_dimmed)
            painter.fillRect(target, dim_veil);
        Q_UNUSED(event)
    }
};

}

std::unique_ptr<Canvas> makePainterCanvas(QWidget* parent)
{
    return std::make_unique<PainterCanvas>(parent);
}

}
