#include "ui/snapshots/words.h"

#include <QCoreApplication>
#include <QLocale>

namespace ui {

namespace {

struct SnapshotWords {
    Q_DECLARE_TR_FUNCTIONS(ui::SnapshotWords)
};

}

QString dateInWords(const QDateTime& when, const QDateTime& now)
{
    const QString time = QLocale().toString(when.time(), QLocale::ShortFormat);
    const qint64 days = when.date().daysTo(now.date());
    if (days == 0)
        return SnapshotWords::tr("Today, %1").arg(time);
    if (days == 1)
        return SnapshotWords::tr("Yesterday, %1").arg(time);
    const bool near = days > 1 && days < 7;
    return SnapshotWords::tr("%1, %2").arg(
        near ? QLocale().dayName(when.date().dayOfWeek()) : QLocale().toString(when.date(), QLocale::ShortFormat), time);
}

QString momentInWords(const QDateTime& when, const QDateTime& now)
{
    return when.date() == now.date() ? QLocale().toString(when.time(), QLocale::ShortFormat)
                                     : QLocale().toString(when, QLocale::ShortFormat);
}

QDateTime timeOf(const engine::SnapshotInfo& snapshot)
{
    return QDateTime::fromMSecsSinceEpoch(qint64(snapshot.taken_at));
}

QString titleOf(const engine::SnapshotInfo& snapshot)
{
    return snapshot.name.empty() ? dateInWords(timeOf(snapshot)) : QString::fromStdString(snapshot.name).simplified();
}

QString sizeInWords(quint64 bytes)
{
    return QLocale().formattedDataSize(qint64(bytes), 1, QLocale::DataSizeSIFormat);
}

QImage pictureOf(const engine::SnapshotInfo& snapshot)
{
    const engine::Thumbnail& picture = snapshot.thumbnail;
    const size_t pixels = size_t(picture.width) * picture.height;
    if (pixels == 0 || picture.pixels.size() < pixels)
        return {};
    return QImage(
               reinterpret_cast<const uchar*>(picture.pixels.data()), int(picture.width), int(picture.height),
               qsizetype(picture.width) * 4, QImage::Format_RGB32)
        .copy();
}

}
