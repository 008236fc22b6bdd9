#include "app/session/layer_upkeep.h"

#include <utility>

#include "app/session/control_socket.h"

namespace app {

engine::Result<quint64>
freeDisksOf(const QString& machine, const engine::MachineDefinition& definition, const std::function<bool()>& goOn)
{
    const auto tree = engine::SnapshotTree::open(definition.snapshots);
    if (!tree)
        return tree.error();
    const auto wanted = [&] { return goOn() && !isMachineRunning(machine); };
    if (!wanted())
        return quint64(0);
    const auto unneeded = tree.value()->free_unneeded();
    if (!unneeded)
        return unneeded.error();
    return quint64(unneeded.value() + tree.value()->merge_layers(wanted));
}

LayerUpkeep::LayerUpkeep(Find find, QObject* parent) : QObject(parent), m_find(std::move(find))
{
    m_disk.setMaxThreadCount(1);
    m_timer.setSingleShot(true);
    m_timer.callOnTimeout(this, &LayerUpkeep::begin);
}

void LayerUpkeep::look(const QStringList& machines, std::chrono::milliseconds in)
{
    m_due += machines;
    m_due.removeDuplicates();
    if (!m_timer.isActive() || in < m_timer.remainingTimeAsDuration())
        m_timer.start(in);
}

void LayerUpkeep::giveUp()
{
    m_timer.stop();
    m_due.clear();
    m_given_up = true;
    m_disk.clear();
    m_disk.waitForDone();
    m_given_up = false;
}

void LayerUpkeep::begin()
{
    for (const QString& machine : std::exchange(m_due, {}))
        if (const auto definition = m_find(machine))
            // What can't be done now may be another time.
            m_disk.start([this, machine, definition = definition.value()] {
                (void)freeDisksOf(machine, definition, [this] { return !m_given_up; });
            });
}

}
