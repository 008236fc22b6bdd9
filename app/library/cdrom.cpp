#include "app/library/cdrom.h"

#include <QFileInfo>

#include "app/library/problem.h"
#include "engine/block/iso9660.h"

namespace app {

engine::Result<void> checkCdrom(const QString& path)
{
    const auto iso = engine::read_iso(QFileInfo(path).absoluteFilePath().toStdString());
    if (!iso)
        return iso.error();
    if (iso.value().truncated())
        return problem(
            QString("The CD image “%1” is truncated").arg(path),
            QString("its volume has %1 bytes and the file only %2").arg(iso.value().volume_size).arg(iso.value().file_size),
            "Download it again");
    return {};
}

}
