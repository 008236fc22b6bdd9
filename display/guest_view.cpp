#include "display/guest_view.h"

#include <QGraphicsOpacityEffect>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QStyle>

namespace display {

namespace {

constexpr int hint_milliseconds = 4000, fade_milliseconds = 700;
constexpr int hint_margin = 24;

}

GuestView::GuestView(Renderer renderer, QWidget* parent)
    : QWidget(parent),
      m_canvas(makeCanvas(this, renderer)),
      m_pointer(this),
      m_hint(this)
{
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setAttribute(Qt::WA_InputMethodEnabled, false);
    setMinimumSize(160, 120);
    m_canvas->widget()->setAttribute(Qt::WA_TransparentForMouseEvents);
    m_canvas->widget()->setFocusPolicy(Qt::NoFocus);

    auto* opacity = new QGraphicsOpacityEffect(&m_hint);
    m_hint.setGraphicsEffect(opacity);
    m_hint.setAttribute(Qt::WA_TransparentForMouseEvents);
    m_hint.setAutoFillBackground(true);
    m_hint.setBackgroundRole(QPalette::ToolTipBase);
    m_hint.setForegroundRole(QPalette::ToolTipText);
    m_hint.setMargin(10);
    m_hint.hide();
    m_hintFade = new QPropertyAnimation(opacity, "opacity", this);
    m_hintFade->setStartValue(1.0);
    m_hintFade->setEndValue(0.0);
    connect(m_hintFade, &QPropertyAnimation::finished, &m_hint, &QWidget::hide);
    m_hintTime.setSingleShot(true);
    m_hintTime.callOnTimeout(this, [this] {
        const bool animate = style()->styleHint(QStyle::SH_Widget_Animation_Duration, nullptr, this) > 0;
        m_hintFade->setDuration(animate ? fade_milliseconds : 0);
        m_hintFade->start();
    });

    connect(&m_pointer, &PointerCapture::moved, this, &GuestView::pointer);
    connect(&m_pointer, &PointerCapture::capturedChanged, this, &GuestView::showHint);
    connect(&m_pointer, &PointerCapture::capturedChanged, this, &GuestView::capturedChanged);
}

GuestView::~GuestView()
{
    m_pointer.disconnect(this);
    m_pointer.release();
}

void GuestView::showFrame(std::shared_ptr<const engine::Frame> frame)
{
    if (!frame)
        return;
    const QSize size(int(frame->width), int(frame->height));
    m_canvas->show(std::move(frame));
    if (std::exchange(m_guestSize, size) != size) {
        updateGeometry();
        emit guestSizeChanged(size);
    }
}

void GuestView::setReleaseKeys(ReleaseGesture::Keys keys)
{
    m_gesture = ReleaseGesture(keys);
    setAccessibleDescription(releaseHint());
}

QString GuestView::releaseHint() const
{
    return m_gesture.keys() == ReleaseGesture::Keys::rightCtrl ? tr("Press the right Ctrl key to free the pointer")
                                                               : tr("Press Ctrl+Alt to free the pointer");
}

QSize GuestView::sizeHint() const
{
    const QSize guest = m_guestSize.isEmpty() ? QSize(720, 400) : m_guestSize;
    return (QSizeF(guest) / devicePixelRatioF()).toSize();
}

void GuestView::toggleCapture()
{
    if (isCaptured())
        m_pointer.release();
    else {
        setFocus();
        m_pointer.capture();
    }
}

bool GuestView::event(QEvent* event)
{
    if (event->type() == QEvent::ShortcutOverride) {
        const auto& keyEvent = static_cast<const QKeyEvent&>(*event);
        if (!isHostShortcut(keyEvent)) {
            event->accept();
            return true;
        }
        // The guest has seen Ctrl and Alt go down and must not be left holding them.
        releaseKeys();
    }
    return QWidget::event(event);
}

bool GuestView::isHostShortcut(const QKeyEvent& event) const
{
    const QKeySequence pressed(event.keyCombination());
    return m_hostShortcuts.contains(pressed);
}

void GuestView::feedKey(QKeyEvent* event, bool down)
{
    event->accept();
    const auto code = set1FromEvent(*event);
    // While a key is held, hosts send releases between its repeats that no keyboard sends.
    if (!code || (event->isAutoRepeat() && !down))
        return;
    if (down) {
        m_pressed.press(*code);
        emit key(*code, true);
    } else if (m_pressed.release(*code)) {
        emit key(*code, false);
    }
    if (event->isAutoRepeat() || !m_gesture.feed(*code, down))
        return;
    releaseKeys();
    if (isCaptured())
        m_pointer.release();
    else
        emit leaveRequested();
}

void GuestView::releaseKeys()
{
    m_gesture.reset();
    for (const quint16 code : m_pressed.releaseAll())
        emit key(code, false);
}

void GuestView::mouseMoveEvent(QMouseEvent* event)
{
    constexpr int edge = 2;    // pixels
    if (!isCaptured() && event->position().y() < edge)
        emit upperEdgeTouched();
    m_pointer.move(*event);
}

void GuestView::focusOutEvent(QFocusEvent* event)
{
    releaseKeys();
    m_pointer.release();
    QWidget::focusOutEvent(event);
}

void GuestView::hideEvent(QHideEvent* event)
{
    releaseKeys();
    m_pointer.release();
    QWidget::hideEvent(event);
}

void GuestView::resizeEvent(QResizeEvent*)
{
    m_canvas->widget()->setGeometry(rect());
    placeHint();
}

void GuestView::showHint(bool captured)
{
    m_hintFade->stop();
    m_hintTime.stop();
    m_hint.setVisible(captured);
    if (!captured)
        return;
    m_hint.setText(releaseHint());
    static_cast<QGraphicsOpacityEffect*>(m_hint.graphicsEffect())->setOpacity(1);
    placeHint();
    m_hint.raise();
    m_hintTime.start(hint_milliseconds);
}

void GuestView::placeHint()
{
    m_hint.adjustSize();
    m_hint.move((width() - m_hint.width()) / 2, hint_margin);
}

}
