#pragma once
// The pointer as the guest's relative mouse. While captured it is hidden and held near the view's middle; how far it moved
// goes out as counts. Not modelled: Wayland's pointer constraints, so there the pointer stops at the screen's edge.

#include <QEvent>
#include <QMouseEvent>
#include <QObject>
#include <QPointF>
#include <QWheelEvent>
#include <QWidget>

namespace display {

class PointerCapture : public QObject {
    Q_OBJECT

public:
    explicit PointerCapture(QWidget* view);

    bool isCaptured() const { return m_captured; }
    void capture();
    void release();

    // A press while free captures and is not passed on.
    void press(const QMouseEvent& event);
    void lift(const QMouseEvent& event);
    void move(const QMouseEvent& event);
    void wheel(const QWheelEvent& event);

signals:
    // Buttons: bit 0 left, 1 right, 2 middle. Wheel in notches, positive away from the user.
    void moved(int dx, int dy, int wheel, quint8 buttons);
    void capturedChanged(bool captured);

private:
    QPointF middle() const;

    QWidget* m_view;
    bool m_captured = false;
    bool m_returning = false;    // sent to the middle, not yet seen there
    QPointF m_last;    // global
    QPointF m_rest;    // fractions of counts not yet sent
    int m_wheelRest = 0;    // eighths of a degree
    quint8 m_buttons = 0;
};

}
