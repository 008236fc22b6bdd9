#include "app/command_line/output.h"

#include <cstdio>

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

namespace app {

namespace {
void print(std::FILE* where, const QByteArray& bytes)
{
    std::fwrite(bytes.constData(), 1, size_t(bytes.size()), where);
    std::fflush(where);
}
}

void say(const QString& text)
{
    print(stdout, text.toUtf8() + '\n');
}

void sayJson(const QJsonValue& value)
{
    print(stdout, value.isArray() ? QJsonDocument(value.toArray()).toJson() : QJsonDocument(value.toObject()).toJson());
}

int refuse(const engine::Error& error)
{
    print(stderr, "paddock: " + QByteArray::fromStdString(error.text()) + '\n');
    return refused;
}

}
