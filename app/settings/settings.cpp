#include "app/settings/settings.h"

#include <QStandardPaths>

namespace app {

namespace {

QString ownFile()
{
    return QStandardPaths::writableLocation(QStandardPaths::GenericConfigLocation) + QStringLiteral("/paddock/paddock.conf");
}

}

Settings::Settings(const QString& file, QObject* parent)
    : QObject(parent),
      m_store(file.isEmpty() ? ownFile() : file, QSettings::IniFormat)
{
}

}
