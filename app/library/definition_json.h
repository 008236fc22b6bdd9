#pragma once
// A machine's definition as the JSON of machine.json. Reads tolerate unknown fields and refuse wrong types in words.

#include <QByteArray>
#include <QString>

#include "engine/engine.h"

namespace app {

// Paths under `folder` are written relative to it.
QByteArray definitionToJson(const engine::MachineDefinition& definition, const QString& folder);
engine::Result<engine::MachineDefinition> definitionFromJson(const QByteArray& json, const QString& folder);

// "automatic", "kvm", "translator", "interpreter"; "auto" is understood too.
QString acceleratorName(engine::Accelerator accelerator);
std::optional<engine::Accelerator> acceleratorFromName(const QString& name);

}
