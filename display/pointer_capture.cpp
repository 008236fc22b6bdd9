#include "display/pointer_capture.h"

#include <QCursor>

namespace display {

namespace {

constexpr int wheel_notch = 120;    // QWheelEvent: eighths of a degree

quint8 buttonBit(Qt::MouseButton button)
{
    return button == Qt::LeftButton ? 1 : button == Qt::RightButton ? 2 : button == Qt::MiddleButton ? 4 : 0;
}

}

PointerCapture::PointerCapture(QWidget* view) : QObject(view), m_view(view) { }

QPointF PointerCapture::middle() const
{
    return m_view->mapToGlobal(m_view->rect().center());
}

void PointerCapture::capture()
{
    if (m_captured)
        return;
    m_captured = true;
    m_last = QCursor::pos();
    m_rest = {};
    m_wheelRest = 0;
    m_view->grabMouse(Qt::BlankCursor);
    m_view->grabKeyboard();
    QCursor::setPos(middle().toPoint());
    m_returning = true;
    emit capturedChanged(true);
}

void PointerCapture::release()
{
    if (!m_captured)
        return;
    m_captured = false;
    m_view->releaseKeyboard();
    m_view->releaseMouse();
    if (std::exchange(m_buttons, 0) != 0)
        emit moved(0, 0, 0, 0);
    emit capturedChanged(false);
}

void PointerCapture::press(const QMouseEvent& event)
{
    if (!m_captured)
        return capture();
    m_buttons |= buttonBit(event.button());
    emit moved(0, 0, 0, m_buttons);
}

void PointerCapture::lift(const QMouseEvent& event)
{
    const quint8 before = m_buttons;
    m_buttons &= quint8(~buttonBit(event.button()));
    if (m_captured && m_buttons != before)
        emit moved(0, 0, 0, m_buttons);
}

void PointerCapture::move(const QMouseEvent& event)
{
    if (!m_captured)
        return;
    const QPointF at = event.globalPosition(), centre = middle();
    // Events from before the jump to the middle may still come in; the jump itself is no motion.
    if (m_returning && (at - centre).manhattanLength() <= (at - m_last).manhattanLength()) {
        m_last = centre;
        m_returning = false;
    }
    m_rest += at - m_last;
    m_last = at;
    const QPoint whole(int(m_rest.x()), int(m_rest.y()));
    m_rest -= whole;
    if (!whole.isNull())
        emit moved(whole.x(), whole.y(), 0, m_buttons);

    const QPointF away = at - centre;
    const bool far = qAbs(away.x()) > m_view->width() / 4.0 || qAbs(away.y()) > m_view->height() / 4.0;
    if (far && !m_returning) {
        m_returning = true;
        QCursor::setPos(centre.toPoint());
    }
}

void PointerCapture::wheel(const QWheelEvent& event)
{
    if (!m_captured)
        return;
    m_wheelRest += event.angleDelta().y();
    if (const int notches = m_wheelRest / wheel_notch; notches != 0) {
        m_wheelRest -= notches * wheel_notch;
        emit moved(0, 0, notches, m_buttons);
    }
}

}
