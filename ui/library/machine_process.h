#pragma once
// Starts `paddock run NAME` as a process that outlives this one.

#include <functional>

#include <QObject>
#include <QStringList>

#include "engine/base/result.h"

namespace ui {

// `options` are those of `paddock run`. `failed` is told, while `context` lives, why the machine did not start or ended badly.
void startMachineProcess(
    const QString& program, const QString& machine, const QStringList& options, QObject* context,
    const std::function<void(const engine::Error&)>& failed);

}
