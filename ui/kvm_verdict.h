#pragma once
// Asks the engine about KVM without making the window wait.

#include <functional>

#include <QObject>

#include "engine/engine.h"

namespace ui {

// `tell` is called on the context's thread, unless the context is gone by then.
void askForKvm(QObject* context, std::function<void(const engine::KvmVerdict&)> tell);

}
