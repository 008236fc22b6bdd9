#pragma once
// Frees what deleted snapshots hold of disks, and merges their layers, of machines that are off; those that run do it
// themselves. On a thread of its own. Used on its owner's thread. QtCore only.

#include <atomic>
#include <chrono>
#include <functional>

#include <QObject>
#include <QStringList>
#include <QThreadPool>
#include <QTimer>

#include "engine/engine.h"

namespace app {

// Of one machine, unless it runs; ends early where it is started, or `goOn` says no. Removed snapshots can still be brought
// back. Returns bytes freed. Any thread; waits for the disk.
engine::Result<quint64>
freeDisksOf(const QString& machine, const engine::MachineDefinition& definition, const std::function<bool()>& goOn);

class LayerUpkeep : public QObject {
    Q_OBJECT

public:
    using Find = std::function<engine::Result<engine::MachineDefinition>(const QString& name)>;

    explicit LayerUpkeep(Find find, QObject* parent = nullptr);
    // Gives up what is under way, with nothing lost.
    ~LayerUpkeep() override { giveUp(); }

    // Looks at these machines in so much time, or sooner with others that are to be looked at.
    void look(const QStringList& machines, std::chrono::milliseconds in);
    // The folder of a machine is about to move: nothing is done in any until look() is called again.
    void giveUp();

private:
    void begin();

    Find m_find;
    QTimer m_timer;
    QStringList m_due;
    QThreadPool m_disk;    // one thread
    std::atomic<bool> m_given_up = false;
};

}
