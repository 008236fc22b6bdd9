#pragma once
// What draws a guest's frames: with OpenGL or with Qt's painter, whichever is the quicker here.

#include <memory>

#include <QRect>
#include <QWidget>

#include "display/scaling.h"
#include "engine/device/display/frame.h"

namespace display {

enum class Renderer { automatic, opengl, painter };

// The picture to show and what of it changed since it was last drawn.
class Picture {
public:
    void put(std::shared_ptr<const engine::Frame> frame);
    const std::shared_ptr<const engine::Frame>& frame() const { return m_frame; }
    QSize size() const { return m_frame ? QSize(int(m_frame->width), int(m_frame->height)) : QSize(); }
    QRect damage() const { return m_damage; }
    void drawn() { m_damage = {}; }
    void touchAll() { m_damage = QRect(QPoint(), size()); }

private:
    std::shared_ptr<const engine::Frame> m_frame;
    QRect m_damage;
};

class Canvas {
public:
    virtual ~Canvas() = default;
    virtual QWidget* widget() = 0;
    virtual QString name() const = 0;
    virtual void show(std::shared_ptr<const engine::Frame> frame) = 0;

    void setFilter(Filter filter)
    {
        m_filter = filter;
        widget()->update();
    }
    void setScaling(Scaling scaling)
    {
        m_scaling = scaling;
        widget()->update();
    }
    void setDimmed(bool dimmed)
    {
        m_dimmed = dimmed;
        widget()->update();
    }

protected:
    QRect placement()
    {
        return placeGuest(m_picture.size(), devicePixels(widget()->size(), widget()->devicePixelRatioF()), m_scaling);
    }

    Picture m_picture;
    Filter m_filter = Filter::sharp;
    Scaling m_scaling = Scaling::fit;
    bool m_dimmed = false;
};

// Null where this host's OpenGL is missing, or is software and so slower than painting (unless `insist`).
std::unique_ptr<Canvas> makeGlCanvas(QWidget* parent, bool insist);
std::unique_ptr<Canvas> makePainterCanvas(QWidget* parent);
std::unique_ptr<Canvas> makeCanvas(QWidget* parent, Renderer renderer);

}
