#include "display/screenshot.h"

#include <QCoreApplication>
#include <QSaveFile>

namespace display {

namespace {

struct ScreenshotWords {
    Q_DECLARE_TR_FUNCTIONS(display::ScreenshotWords)
};

}

QImage imageOf(const engine::Frame& frame)
{
    constexpr engine::u32 longest_side = 16384;
    if (frame.width == 0 || frame.height == 0 || frame.width > longest_side || frame.height > longest_side
        || frame.pixels.size() != size_t(frame.width) * frame.height)
        return {};
    return QImage(
        reinterpret_cast<const uchar*>(frame.pixels.data()), int(frame.width), int(frame.height), qsizetype(frame.width) * 4,
        QImage::Format_RGB32);
}

engine::Result<void> savePicture(const engine::Frame& frame, const QString& path)
{
    const QImage image = imageOf(frame);
    if (image.isNull())
        return engine::Error{
            ScreenshotWords::tr("There is no picture to take").toStdString(),
            ScreenshotWords::tr("the screen is off").toStdString(),
            {}};
    QSaveFile file(path);
    if (file.open(QIODevice::WriteOnly) && image.save(&file, "PNG") && file.flush() && file.commit())
        return {};
    return engine::Error{
        ScreenshotWords::tr("The picture %1 cannot be written").arg(path).toStdString(), file.errorString().toStdString(),
        ScreenshotWords::tr("Choose a folder that you may write to and that has room").toStdString()};
}

}
