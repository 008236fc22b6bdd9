#include <QProgressBar>
#include <QtTest>

#include "app/library/appliance.h"
#include "app/library/machine_library.h"
#include "engine/block/disk_tool.h"
#include "ui/new_machine/new_machine_sheet.h"

class ApplianceTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<app::MachineLibrary> m_library;

    static QByteArray item(int type, const QByteArray& fields)
    {
        return "<Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>" + QByteArray::number(type) + "</rasd:ResourceType>"
            + fields + "</Item>";
    }
    static QByteArray
    sizes(const QByteArray& memory = "384", const QByteArray& unit = "byte * 2^20", const QByteArray& cpus = "2")
    {
        return item(3, "<rasd:VirtualQuantity>" + cpus + "</rasd:VirtualQuantity>")
            + item(4,
                   "<rasd:AllocationUnits>" + unit + "</rasd:AllocationUnits><rasd:VirtualQuantity>" + memory
                       + "</rasd:VirtualQuantity>");
    }
    static QByteArray
    ovf(const QByteArray& hardware, const QByteArray& file = R"(<File ovf:id="file1" ovf:href="disk.vmdk"/>)",
        const QByteArray& disk = R"(<Disk ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:capacity="16777216"/>)")
    {
        return R"(<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">)"
               "<References>"
            + file + "</References><DiskSection><Info/>" + disk
            + R"(</DiskSection><VirtualSystem ovf:id="box"><Info>x</Info><VirtualHardwareSection><Info/>)" + hardware
            + "</VirtualHardwareSection></VirtualSystem></Envelope>";
    }
    static QByteArray diskItem(const QByteArray& resource = "ovf:/disk/vmdisk1")
    {
        return item(17, "<rasd:HostResource>" + resource + "</rasd:HostResource>");
    }
    void write(const QString& name, const QByteArray& bytes) const
    {
        QFile file(m_folder->filePath(name));
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size());
    }
    // An archive with a stream-optimised disk of 16 MiB that holds a pattern; false where there is no tool for it.
    bool makeOva(const QByteArray& description) const
    {
        QByteArray pattern(16 << 20, '\0');
        for (qsizetype at = 1 << 20; at < 3 << 20; ++at)
            pattern[at] = char(at * 7 + at / 977);
        write("disk.raw", pattern);
        write("box.ovf", description);
        QProcess tool;
        tool.setWorkingDirectory(m_folder->path());
        tool.start(
            "sh",
            {"-c",
             "qemu-img convert -O vmdk -o subformat=streamOptimized disk.raw disk.vmdk && tar --format=ustar -cf box.ova box.ovf "
             "disk.vmdk && rm box.ovf disk.vmdk"});
        return tool.waitForFinished(60'000) && tool.exitCode() == 0;
    }
    QByteArray contentOf(const QString& disk) const
    {
        const std::string to = m_folder->filePath("back.raw").toStdString();
        if (!engine::convert_disk({.from = {.path = disk.toStdString(), .format = "qcow2"}, .to = to, .to_format = "raw"}))
            return {};
        QFile file(m_folder->filePath("back.raw"));
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        m_library = std::make_unique<app::MachineLibrary>(m_folder->filePath("library"));
    }

    void readsWhatADescriptionSays()
    {
        const auto read = app::parseOvf(ovf(sizes() + diskItem() + item(10, "") + item(35, "") + item(15, "")), "box.ovf");
        QVERIFY2(read, read ? "" : read.error().text().c_str());
        QCOMPARE(read.value().name, QString("box"));
        QCOMPARE(read.value().memoryMib, quint64(384));
        QCOMPARE(read.value().cpus, 2u);
        QCOMPARE(read.value().diskFiles, QStringList{"disk.vmdk"});
        QCOMPARE(read.value().leftOut.size(), 2);
        QVERIFY(read.value().leftOut[0].contains("network"));
        for (const auto& [amount, unit, mebibytes] :
             {std::tuple{"2", "GigaBytes", 2048}, {"512", "MegaBytes", 512}, {"512", "", 512}, {"1048576", "byte * 2^10", 1024}})
            QCOMPARE(app::parseOvf(ovf(sizes(amount, unit)), "x").value().memoryMib, quint64(mebibytes));
        // StorageItem of OVF 2, and a reference to the file itself.
        const auto second = app::parseOvf(ovf(diskItem("/file/file1").replace("Item>", "StorageItem>")), "x");
        QVERIFY(second);
        QCOMPARE(second.value().diskFiles.size(), 1);
    }

    void refusesWhatItCannotTrust_data()
    {
        QTest::addColumn<QByteArray>("xml");
        QTest::newRow("nothing") << QByteArray();
        QTest::newRow("no XML") << QByteArray("MZ\x90\0", 4);
        QTest::newRow("another document") << QByteArray("<html><VirtualSystem/></html>");
        QTest::newRow("no machine") << QByteArray("<Envelope/>");
        QTest::newRow("cut short") << ovf(sizes() + diskItem()).chopped(20);
        QTest::newRow("entities") << "<!DOCTYPE x [<!ENTITY a \"aaaa\">]>" + ovf(sizes()).mid(21);
        QTest::newRow("too deep") << "<Envelope><VirtualSystem>" + QByteArray("<a>").repeated(100'000);
        QTest::newRow("another folder's file") << ovf(diskItem(), R"(<File ovf:id="file1" ovf:href="../../etc/passwd"/>)");
        QTest::newRow("an absolute path") << ovf(diskItem(), R"(<File ovf:id="file1" ovf:href="/etc/passwd"/>)");
        QTest::newRow("a hidden file") << ovf(diskItem(), R"(<File ovf:id="file1" ovf:href=".."/>)");
        QTest::newRow("compressed") << ovf(diskItem(), R"(<File ovf:id="file1" ovf:href="d" ovf:compression="gzip"/>)");
        QTest::newRow("split") << ovf(diskItem(), R"(<File ovf:id="file1" ovf:href="d" ovf:chunkSize="5"/>)");
        QTest::newRow("no such file") << ovf(diskItem(), {});
        QTest::newRow("a difference") << ovf(
            diskItem(), R"(<File ovf:id="file1" ovf:href="d"/>)",
            R"(<Disk ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:parentRef="p"/>)");
        QTest::newRow("too many disks") << ovf(diskItem().repeated(3));
        QTest::newRow("endless memory") << ovf(sizes("18446744073709551615"));
        QTest::newRow("strange memory") << ovf(sizes("1", "byte * 2^99"));
        QTest::newRow("no memory") << ovf(sizes("0"));
    }
    void refusesWhatItCannotTrust()
    {
        QFETCH(QByteArray, xml);
        const auto read = app::parseOvf(xml, "box.ovf");
        QVERIFY(!read);
        QVERIFY(read.error().text().find("box.ovf") != std::string::npos && !read.error().why.empty());
    }

    void importsAnArchive()
    {
        if (!makeOva(ovf(sizes() + diskItem() + item(10, ""))))
            QSKIP("qemu-img or tar is not installed");
        const auto appliance = app::readAppliance(m_folder->filePath("box.ova"));
        QVERIFY2(appliance, appliance ? "" : appliance.error().text().c_str());
        app::NewMachine machine;
        machine.definition.name = "box";
        machine.definition.memory_mib = appliance.value().memoryMib;
        machine.imports = appliance.value().disks;
        // Stopped: nothing is there.
        QVERIFY(!m_library->create(machine, [](double done) { return done < 0.5; }));
        QVERIFY(m_library->names().isEmpty());
        QCOMPARE(
            QDir(m_library->machinesFolder()).entryList(QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot), QStringList());
        double last = 0;
        const auto made = m_library->create(machine, [&](double done) {
            const bool forward = done >= last;
            last = done;
            return forward;
        });
        QVERIFY2(made, made ? "" : made.error().text().c_str());
        QVERIFY(last > 0.9);
        const auto definition = m_library->find("box");
        QCOMPARE(definition.value().disks.size(), size_t(1));
        QFile raw(m_folder->filePath("disk.raw"));
        QVERIFY(raw.open(QIODevice::ReadOnly));
        QVERIFY(contentOf(QString::fromStdString(definition.value().disks[0])) == raw.readAll());
        QCOMPARE(
            QDir(m_library->folder("box")).entryList(QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot),
            (QStringList{"disk.qcow2", "machine.json"}));
    }

    void saysWhatIsMissingFromAnArchive()
    {
        if (!makeOva(ovf(sizes() + diskItem(), R"(<File ovf:id="file1" ovf:href="other.vmdk"/>)")))
            QSKIP("qemu-img or tar is not installed");
        const auto missing = app::readAppliance(m_folder->filePath("box.ova"));
        QVERIFY(!missing && missing.error().text().find("other.vmdk") != std::string::npos);
        QVERIFY(QFile(m_folder->filePath("box.ova")).resize(20'000));
        QVERIFY(!app::readAppliance(m_folder->filePath("box.ova")));
        QVERIFY(!app::readAppliance(m_folder->filePath("none.ova")));
    }

    void theSheetImportsAndSaysWhatIsLeftOut()
    {
        if (!makeOva(ovf(sizes() + diskItem() + item(10, ""))))
            QSKIP("qemu-img or tar is not installed");
        ui::NewMachineSheet sheet(*m_library, m_folder->filePath("box.ova"));
        QSignalSpy created(&sheet, &ui::NewMachineSheet::created);
        sheet.show();
        bool said = false;
        for (const QLabel* label : sheet.findChildren<QLabel*>())
            said |= label->text().contains("one disk") && label->text().contains("network card");
        QVERIFY(said);
        QCOMPARE(sheet.draft().definition.memory_mib, engine::u64(384));
        QCOMPARE(sheet.draft().definition.cpus, 2u);
        QCOMPARE(sheet.draft().diskBytes, quint64(0));
        for (QPushButton* button : sheet.findChildren<QPushButton*>())
            if (button->text().remove(u'&') == "Create and start")
                button->click();
        QVERIFY(sheet.findChild<QProgressBar*>()->isVisible());
        QTRY_COMPARE_WITH_TIMEOUT(created.size(), 1, 60'000);
        QCOMPARE(m_library->names(), QStringList{"box"});
    }
};

QTEST_MAIN(ApplianceTest)
#include "appliance_test.moc"
