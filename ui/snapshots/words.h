#pragma once
// How snapshots are spoken of.

#include <QDateTime>
#include <QImage>
#include <QString>

#include "engine/engine.h"

namespace ui {

QString dateInWords(const QDateTime& when, const QDateTime& now = QDateTime::currentDateTime());
// “14:32” today, with its date otherwise: inside a sentence.
QString momentInWords(const QDateTime& when, const QDateTime& now = QDateTime::currentDateTime());
QDateTime timeOf(const engine::SnapshotInfo& snapshot);
// Its name, or its date where it has none.
QString titleOf(const engine::SnapshotInfo& snapshot);
// “12.5 MB”
QString sizeInWords(quint64 bytes);
QImage pictureOf(const engine::SnapshotInfo& snapshot);    // null where it has none

}
