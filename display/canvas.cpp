#include "display/canvas.h"

namespace display {

void Picture::put(std::shared_ptr<const engine::Frame> frame)
{
    if (!frame || frame->pixels.size() != size_t(frame->width) * frame->height)
        return;
    const QSize before = size();
    const bool follows = m_frame && frame->number == m_frame->number + 1;
    m_frame = std::move(frame);
    const engine::Rectangle& damage = m_frame->damage;
    if (!follows || size() != before)
        touchAll();
    else if (damage.x < m_frame->width && damage.y < m_frame->height)
        m_damage |= QRect(
            int(damage.x), int(damage.y), int(std::min(damage.width, m_frame->width - damage.x)),
            int(std::min(damage.height, m_frame->height - damage.y)));
}

std::unique_ptr<Canvas> makeCanvas(QWidget* parent, Renderer renderer)
{
    if (renderer != Renderer::painter)
        if (auto canvas = makeGlCanvas(parent, renderer == Renderer::opengl))
            return canvas;
    return makePainterCanvas(parent);
}

}
