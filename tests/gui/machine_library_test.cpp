#include <sys/stat.h>
#include <unistd.h>

#include <QtTest>

#include "app/library/definition_json.h"
#include "app/library/machine_library.h"
#include "engine/block/disk_tool.h"

using app::MachineLibrary;
using app::NewMachine;

class MachineLibraryTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<MachineLibrary> m_library;

    static NewMachine machine(const char* name, quint64 disk = 0)
    {
        NewMachine made;
        made.definition.name = name;
        made.definition.memory_mib = 64;
        made.diskBytes = disk;
        return made;
    }

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        m_library = std::make_unique<MachineLibrary>(m_folder->path());
    }

    void refusesNames_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<bool>("good");
        QTest::newRow("plain") << "Debian 12" << true;
        QTest::newRow("umlaut") << QString::fromUtf8("Mühle") << true;
        QTest::newRow("longest") << QString(64, u'x') << true;
        QTest::newRow("empty") << "" << false;
        QTest::newRow("blank") << "  " << false;
        QTest::newRow("slash") << "a/b" << false;
        QTest::newRow("parent") << ".." << false;
        QTest::newRow("hidden") << ".x" << false;
        QTest::newRow("option") << "-x" << false;
        QTest::newRow("too long") << QString(65, u'x') << false;
        QTest::newRow("too many bytes") << QString(64, u'\u20ac').append(u'x') << false;
        QTest::newRow("newline") << "a\nb" << false;
        QTest::newRow("nul") << QString("a") + QChar(0) << false;
        QTest::newRow("half a character") << QString(QChar(0xd800)) << false;
    }
    void refusesNames()
    {
        QFETCH(QString, name);
        QFETCH(bool, good);
        const auto checked = MachineLibrary::checkName(name);
        QCOMPARE(bool(checked), good);
        if (!good)
            QVERIFY(!checked.error().what.empty() && !checked.error().what_to_do.empty());
    }

    void createsAndFinds()
    {
        NewMachine made = machine("one", 1 << 20);
        made.definition.cdrom = "/tmp/some.iso";
        made.definition.cpus = 4;
        made.definition.accelerator = engine::Accelerator::translator;
        made.diskCache = "none";
        QVERIFY(m_library->create(made));
        QCOMPARE(m_library->names(), QStringList{"one"});
        const auto found = m_library->find("one");
        QVERIFY(found);
        QCOMPARE(found.value().name, std::string("one"));
        QCOMPARE(found.value().cpus, 4u);
        QCOMPARE(found.value().memory_mib, engine::u64(64));
        QCOMPARE(found.value().cdrom, std::string("/tmp/some.iso"));
        QVERIFY(found.value().accelerator == engine::Accelerator::translator);
        const QFileInfo disk(QString::fromStdString(found.value().disks.at(0)));
        QCOMPARE(disk.fileName(), QString("disk.qcow2"));
        QCOMPARE(found.value().disk_formats, std::vector<std::string>{"qcow2"});
        QCOMPARE(found.value().disk_caches, std::vector<std::string>{"none"});
        QVERIFY(m_library->bytesOnDisk("one") < (1 << 20));    // sparse
        // Nothing half made is left.
        QCOMPARE(
            QDir(m_library->machinesFolder()).entryList(QDir::Dirs | QDir::Hidden | QDir::NoDotAndDotDot), QStringList{"one"});
    }

    void knowsDisksOfEarlierVersionsAsRaw()
    {
        QVERIFY(m_library->create(machine("one")));
        QFile file(m_library->folder("one") + "/machine.json");
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(R"({"format": 1, "memory_mib": 64, "disks": ["disk.img"]})");
        file.close();
        const auto found = m_library->find("one");
        QVERIFY(found);
        QCOMPARE(found.value().disk_formats, std::vector<std::string>{"raw"});
        QCOMPARE(found.value().disk_caches, std::vector<std::string>{""});
        QCOMPARE(found.value().disks.at(0), (m_library->folder("one") + "/disk.img").toStdString());
    }

    void refusesTwins()
    {
        QVERIFY(m_library->create(machine("one")));
        const auto again = m_library->create(machine("one"));
        QVERIFY(!again);
        QVERIFY(QString::fromStdString(again.error().what).contains("one"));
    }

    void refusesWhatCannotBe()
    {
        NewMachine none = machine("a");
        none.definition.memory_mib = 0;
        QVERIFY(!m_library->create(none));
        none.definition.memory_mib = 10 * 1024 * 1024;
        QVERIFY(!m_library->create(none));
        NewMachine cpus = machine("a");
        cpus.definition.cpus = 33;
        QVERIFY(!m_library->create(cpus));
        QVERIFY(!m_library->create(machine("a", 1000)));
        QVERIFY(!m_library->create(machine("a", quint64(-1))));
        QVERIFY(m_library->names().isEmpty());
    }

    void saysWhereWritingIsForbidden()
    {
        if (::geteuid() == 0)
            m_library = std::make_unique<MachineLibrary>("/proc/paddock");
        else
            ::chmod(m_folder->path().toLocal8Bit(), 0500);
        const auto made = m_library->create(machine("one"));
        QVERIFY(!made);
        QVERIFY(!made.error().why.empty() && !made.error().what_to_do.empty());
    }

    void renamesWithItsDisk()
    {
        QVERIFY(m_library->create(machine("one", 1 << 20)));
        QVERIFY(m_library->create(machine("two")));
        QVERIFY(!m_library->rename("one", "two"));
        QVERIFY(!m_library->rename("one", "a/b"));
        QVERIFY(!m_library->rename("nobody", "three"));
        QVERIFY(m_library->rename("one", "three"));
        const auto found = m_library->find("three");
        QVERIFY(found);
        QVERIFY(QFileInfo::exists(QString::fromStdString(found.value().disks.at(0))));
    }

    void discardsAndRestores()
    {
        QVERIFY(m_library->create(machine("one", 1 << 20)));
        const auto ticket = m_library->discard("one");
        QVERIFY(ticket);
        QVERIFY(m_library->names().isEmpty());
        QVERIFY(!m_library->find("one"));
        QVERIFY(m_library->create(machine("one")));
        m_library->emptyTrash();
        const auto back = m_library->restore(ticket.value());
        QVERIFY(back);
        QCOMPARE(back.value(), QString("one 2"));
        QVERIFY(!m_library->restore("../machines/one"));
    }

    void emptiesTrash()
    {
        QVERIFY(m_library->create(machine("one")));
        const auto ticket = m_library->discard("one");
        m_library->emptyTrash(std::chrono::hours(0));
        QVERIFY(!m_library->restore(ticket.value()));
    }

    void readsDamagedDefinitions_data()
    {
        QTest::addColumn<QByteArray>("json");
        for (const char* json :
             {"", "{", "[]", "null", R"({"memory_mib": "much"})", R"({"memory_mib": -1})", R"({"memory_mib": 1e300})",
              R"({"cpus": 4294967297})", R"({"disks": "a"})", R"({"disks": [1]})", R"({"accelerator": "warp"})",
              R"({"format": 2})"})
            QTest::newRow(json) << QByteArray(json);
    }
    void readsDamagedDefinitions()
    {
        QFETCH(QByteArray, json);
        QVERIFY(m_library->create(machine("one")));
        QFile file(m_library->folder("one") + "/machine.json");
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(json);
        file.close();
        const auto found = m_library->find("one");
        QVERIFY(!found);
        QVERIFY(!found.error().what_to_do.empty());
    }

    void ignoresUnknownFields()
    {
        const auto read = app::definitionFromJson(R"({"colour": "green", "cpus": 2})", "/m/x");
        QVERIFY(read);
        QCOMPARE(read.value().cpus, 2u);
        QCOMPARE(read.value().name, std::string("x"));
    }

    void suggestsFreeNames()
    {
        QVERIFY(m_library->create(machine("Debian")));
        QCOMPARE(m_library->suggestName("Debian"), QString("Debian 2"));
        QVERIFY(MachineLibrary::checkName(m_library->suggestName("../..")));
        QVERIFY(MachineLibrary::checkName(m_library->suggestName("")));
        QVERIFY(MachineLibrary::checkName(m_library->suggestName(QString(500, u'\u20ac'))));
        QVERIFY(MachineLibrary::checkName(m_library->suggestName("a/b\tc")));
    }

    void whatLinkedClonesStandOnStays()
    {
        const QTemporaryDir folder;
        app::MachineLibrary library(folder.path());
        app::NewMachine made;
        made.definition.name = "origin";
        made.definition.memory_mib = 64;
        made.diskBytes = 16 << 20;
        QVERIFY(library.create(made));
        const auto taken = engine::take_snapshot_of_stopped(library.find("origin").value(), {.name = "base"});
        QVERIFY(taken);
        QVERIFY(library.clone("origin", taken.value().id, "full"));
        QVERIFY(library.linkedClonesOf("origin").isEmpty());
        QVERIFY(library.clone("origin", taken.value().id, "linked", engine::CloneKind::linked));
        QCOMPARE(library.linkedClonesOf("origin"), QStringList{"linked"});
        QVERIFY(engine::disk_info({.path = (library.folder("linked") + "/disk.qcow2").toStdString(), .format = "qcow2"}));
        const auto refused = library.discard("origin");
        QVERIFY(!refused && refused.error().why.find("linked") != std::string::npos);
        QVERIFY(!library.rename("origin", "other"));
        QVERIFY(library.rename("linked", "renamed"));
        QVERIFY(library.discard("renamed"));
        QVERIFY(!library.discard("origin"));
        library.emptyTrash(std::chrono::hours(0));
        QVERIFY(library.discard("origin"));
    }
};

QTEST_GUILESS_MAIN(MachineLibraryTest)
#include "machine_library_test.moc"
