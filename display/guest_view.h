#pragma once
// A guest's screen, keyboard and mouse as one widget. Keys go to the guest while the view has the focus; a click captures
// the pointer until the release gesture. The host keeps only the shortcuts given to setHostShortcuts.

#include <memory>

#include <QKeySequence>
#include <QLabel>
#include <QPropertyAnimation>
#include <QTimer>
#include <QWidget>

#include "display/canvas.h"
#include "display/keyboard_map.h"
#include "display/pointer_capture.h"

namespace display {

class GuestView : public QWidget {
    Q_OBJECT

public:
    explicit GuestView(Renderer renderer = Renderer::automatic, QWidget* parent = nullptr);
    ~GuestView() override;

    void showFrame(std::shared_ptr<const engine::Frame> frame);
    void setFilter(Filter filter) { m_canvas->setFilter(filter); }
    void setScaling(Scaling scaling) { m_canvas->setScaling(scaling); }
    void setDimmed(bool dimmed) { m_canvas->setDimmed(dimmed); }
    void setReleaseKeys(ReleaseGesture::Keys keys);
    void setHostShortcuts(const QList<QKeySequence>& shortcuts) { m_hostShortcuts = shortcuts; }

    QString rendererName() const { return m_canvas->name(); }
    bool isCaptured() const { return m_pointer.isCaptured(); }
    void toggleCapture();
    void releaseKeys();
    QString releaseHint() const;

    QSize sizeHint() const override;

signals:
    void key(quint16 code, bool down);
    void pointer(int dx, int dy, int wheel, quint8 buttons);
    void capturedChanged(bool captured);
    void guestSizeChanged(QSize pixels);
    // The release gesture while nothing is captured: the person wants the keyboard out of the guest.
    void leaveRequested();
    // The pointer, not captured, has come to the upper edge.
    void upperEdgeTouched();

protected:
    bool event(QEvent* event) override;
    bool focusNextPrevChild(bool) override { return false; }    // Tab is the guest's
    void keyPressEvent(QKeyEvent* event) override { feedKey(event, true); }
    void keyReleaseEvent(QKeyEvent* event) override { feedKey(event, false); }
    void mousePressEvent(QMouseEvent* event) override { m_pointer.press(*event); }
    void mouseDoubleClickEvent(QMouseEvent* event) override { m_pointer.press(*event); }
    void mouseReleaseEvent(QMouseEvent* event) override { m_pointer.lift(*event); }
    void mouseMoveEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override { m_pointer.wheel(*event); }
    void focusOutEvent(QFocusEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void feedKey(QKeyEvent* event, bool down);
    bool isHostShortcut(const QKeyEvent& event) const;
    void showHint(bool captured);
    void placeHint();

    std::unique_ptr<Canvas> m_canvas;
    PointerCapture m_pointer;
    PressedKeys m_pressed;
    ReleaseGesture m_gesture;
    QList<QKeySequence> m_hostShortcuts;
    QSize m_guestSize;
    QLabel m_hint;
    QTimer m_hintTime;
    QPropertyAnimation* m_hintFade;
};

}
