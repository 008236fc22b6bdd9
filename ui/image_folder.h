#pragma once
// Where a person looks first for an image: beside the one chosen before, else where downloads arrive.

#include <QDir>
#include <QFileInfo>
#include <QStandardPaths>

namespace ui {

inline QString imageFolder(const QString& before = {})
{
    if (const QFileInfo file(before); !before.isEmpty() && file.exists())
        return file.absolutePath();
    const QString downloads = QStandardPaths::writableLocation(QStandardPaths::DownloadLocation);
    return QFileInfo(downloads).isDir() ? downloads : QDir::homePath();
}

}
