#pragma once
// What a command says: results on standard output, refusals on standard error.

#include <QJsonValue>
#include <QString>

#include "engine/base/result.h"

namespace app {

constexpr int succeeded = 0, refused = 2;

void say(const QString& text);
void sayJson(const QJsonValue& value);
// Prints the error's sentences and returns the exit code for it.
int refuse(const engine::Error& error);

}
