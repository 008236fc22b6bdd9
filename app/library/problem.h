#pragma once
// Between engine::Error, which is in UTF-8 bytes, and Qt's strings.

#include <QString>

#include "engine/base/result.h"

namespace app {

// Each a sentence without the final full stop.
inline engine::Error problem(const QString& what, const QString& why = {}, const QString& whatToDo = {})
{
    return {what.toStdString(), why.toStdString(), whatToDo.toStdString()};
}

inline QString sentences(const engine::Error& error)
{
    return QString::fromStdString(error.text());
}

}
