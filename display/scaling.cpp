#include "display/scaling.h"

#include <algorithm>
#include <cmath>

namespace display {

namespace {

QSize fitted(QSize guest, QSize view)
{
    const double factor = std::min(double(view.width()) / guest.width(), double(view.height()) / guest.height());
    return {
        std::clamp(int(std::lround(guest.width() * factor)), 1, std::max(1, view.width())),
        std::clamp(int(std::lround(guest.height() * factor)), 1, std::max(1, view.height()))};
}

}

QRect placeGuest(QSize guest, QSize view, Scaling scaling)
{
    if (guest.isEmpty() || view.isEmpty())
        return {};
    const int whole = std::min(view.width() / guest.width(), view.height() / guest.height());
    QSize size = guest;
    if (scaling == Scaling::fit || whole == 0)
        size = fitted(guest, view);
    else if (scaling == Scaling::integer)
        size = guest * whole;
    return {QPoint((view.width() - size.width()) / 2, (view.height() - size.height()) / 2), size};
}

QRect placeDamage(const QRect& part, QSize guest, const QRect& placement)
{
    if (guest.isEmpty() || placement.isEmpty() || part.isEmpty())
        return {};
    const double fx = double(placement.width()) / guest.width(), fy = double(placement.height()) / guest.height();
    const QPoint from(int(std::floor((part.left() - 1) * fx)), int(std::floor((part.top() - 1) * fy)));
    const QPoint to(int(std::ceil((part.right() + 2) * fx)), int(std::ceil((part.bottom() + 2) * fy)));
    return QRect(placement.topLeft() + from, placement.topLeft() + to).intersected(placement);
}

QSize devicePixels(QSize logical, qreal ratio)
{
    return {int(std::lround(logical.width() * ratio)), int(std::lround(logical.height() * ratio))};
}

}
