#pragma once
// Where the guest's picture stands in its view. Everything in device pixels, so that nothing is rounded twice.

#include <QRect>
#include <QSize>

namespace display {

enum class Filter { smooth, sharp, nearest };
enum class Scaling { fit, integer, native };

// Centred, its proportions kept. What would not fit in whole steps or at its own size is fitted.
QRect placeGuest(QSize guest, QSize view, Scaling scaling);

// The part of the view that shows `part` of the guest's picture, and a pixel more on each side for filters.
QRect placeDamage(const QRect& part, QSize guest, const QRect& placement);

// The size of a widget in device pixels.
QSize devicePixels(QSize logical, qreal ratio);

}
