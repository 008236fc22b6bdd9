// What only deleted snapshots needed of a machine that is off is given back, and its disks' layers become few.

#include <filesystem>
#include <fstream>

#include <QtTest>

#include "app/session/control_socket.h"
#include "app/session/layer_upkeep.h"

class LayerUpkeepTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_folder;
    engine::MachineDefinition m_definition;
    const QString m_name = QStringLiteral("guest");

    qsizetype layers() const
    {
        return QDir(QString::fromStdString(m_definition.snapshots)).entryList({QStringLiteral("*.qcow2")}).size();
    }
    static bool always() { return true; }

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        qputenv("XDG_RUNTIME_DIR", m_folder->path().toLocal8Bit());
        m_definition = {};
        m_definition.disks = {m_folder->filePath("disk.img").toStdString()};
        std::ofstream(m_definition.disks[0]).put('\0');
        std::filesystem::resize_file(m_definition.disks[0], 1 << 20);
        m_definition.snapshots = m_folder->filePath("snapshots").toStdString();
        std::vector<std::string> ids;
        for (int n = 0; n < 8; ++n) {
            const auto taken = engine::take_snapshot_of_stopped(m_definition, {});
            QVERIFY2(taken, taken ? "" : taken.error().text().c_str());
            ids.push_back(taken.value().id);
        }
        QVERIFY(engine::SnapshotTree::open(m_definition.snapshots).value()->drop({ids.begin() + 1, ids.begin() + 7}));
        QCOMPARE(layers(), 8);
    }

    void leavesAMachineAloneThatRuns()
    {
        auto lock = app::MachineLock::take(m_name);
        QVERIFY(lock);
        QCOMPARE(app::freeDisksOf(m_name, m_definition, always).value(), quint64(0));
        QCOMPARE(layers(), 8);
    }

    void mergesWhenItIsOff()
    {
        QVERIFY(app::freeDisksOf(m_name, m_definition, always).value() > 0);
        // That of the first snapshot, of the last, and the one that is written to next.
        QVERIFY2(layers() <= 3, qPrintable(QString::number(layers())));
        const auto all = engine::SnapshotTree::open(m_definition.snapshots).value()->list();
        QCOMPARE(all.size(), size_t(2));
        QCOMPARE(all[1].parent, all[0].id);
        QCOMPARE(all[1].trouble, std::string());
        QCOMPARE(app::freeDisksOf(m_name, m_definition, always).value(), quint64(0));
    }

    void looksInATimeWithoutBeingWaitedFor()
    {
        app::LayerUpkeep upkeep([this](const QString& name) -> engine::Result<engine::MachineDefinition> {
            if (name != m_name)
                return engine::Error{"There is none", "", ""};
            return m_definition;
        });
        upkeep.look({QStringLiteral("nobody"), m_name}, std::chrono::hours(1));
        upkeep.giveUp();
        upkeep.look({QStringLiteral("nobody")}, std::chrono::hours(1));
        upkeep.look({m_name}, std::chrono::milliseconds(1));
        QTRY_VERIFY(layers() <= 3);
    }
};

QTEST_GUILESS_MAIN(LayerUpkeepTest)
#include "layer_upkeep_test.moc"
