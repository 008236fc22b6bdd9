#pragma once
// How the import of appliances speaks.

#include <QCoreApplication>

#include "app/library/problem.h"

namespace app {

struct ApplianceWords {
    Q_DECLARE_TR_FUNCTIONS(app::ApplianceWords)
};

// `name` of a file that is no appliance as it should be.
inline engine::Error unusableAppliance(const QString& name, const QString& why)
{
    return problem(
        ApplianceWords::tr("%1 cannot be imported").arg(name), why,
        ApplianceWords::tr("Export the machine again, as OVF 1.0 or 2.0"));
}

// A file of an appliance that is not what the manifest says.
inline engine::Error damagedPiece(const QString& file)
{
    return problem(
        ApplianceWords::tr("%1 is damaged").arg(file), ApplianceWords::tr("its content is not what the manifest says"),
        ApplianceWords::tr("Get the file again"));
}

}
