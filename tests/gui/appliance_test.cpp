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
    int m_machines = 0;
    QString m_imported;

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
    bool shell(const QString& command) const
    {
        QProcess tool;
        tool.setWorkingDirectory(m_folder->path());
        tool.start("sh", {"-c", command});
        return tool.waitForFinished(60'000) && tool.exitCode() == 0;
    }
    // Why the appliance can't be imported; "" where it can, and then m_imported is its disk.
    QString whyNot(const QString& file)
    {
        const auto appliance = app::readAppliance(m_folder->filePath(file));
        if (!appliance)
            return QString::fromStdString(appliance.error().text());
        app::NewMachine machine;
        machine.definition.name = "box" + std::to_string(++m_machines);
        machine.imports = appliance.value().disks;
        if (const auto made = m_library->create(machine); !made)
            return QString::fromStdString(made.error().text());
        m_imported = m_library->folder(QString::fromStdString(machine.definition.name)) + "/disk.qcow2";
        return {};
    }
    QByteArray contentOf(const QString& disk) const
    {
        QFile::remove(m_folder->filePath("back.raw"));
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
        QCOMPARE(read.value().described.size(), size_t(1));
        QCOMPARE(read.value().described[0].name, QString("disk.vmdk"));
        QCOMPARE(read.value().described[0].capacity, quint64(16777216));
        QCOMPARE(read.value().leftOut.size(), 2);
        QVERIFY(read.value().leftOut[0].contains("network"));
        for (const auto& [amount, unit, mebibytes] :
             {std::tuple{"2", "GigaBytes", 2048}, {"512", "MegaBytes", 512}, {"512", "", 512}, {"1048576", "byte * 2^10", 1024}})
            QCOMPARE(app::parseOvf(ovf(sizes(amount, unit)), "x").value().memoryMib, quint64(mebibytes));
        // StorageItem of OVF 2, and a reference to the file itself.
        const auto second = app::parseOvf(ovf(diskItem("/file/file1").replace("Item>", "StorageItem>")), "x");
        QVERIFY(second);
        QCOMPARE(second.value().described.size(), size_t(1));
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
        QTest::newRow("compressed strangely") << ovf(diskItem(), R"(<File ovf:id="file1" ovf:href="d" ovf:compression="lzma"/>)");
        QTest::newRow("split into nothing") << ovf(diskItem(), R"(<File ovf:id="file1" ovf:href="d" ovf:chunkSize="0"/>)");
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

    void checksWhatAManifestSays()
    {
        if (!makeOva(ovf(sizes() + diskItem(), R"(<File ovf:id="file1" ovf:href="disk.raw"/>)")))
            QSKIP("qemu-img or tar is not installed");
        write("box.ovf", ovf(sizes() + diskItem(), R"(<File ovf:id="file1" ovf:href="disk.raw"/>)"));
        for (const auto& [name, algorithm] :
             {std::pair{"SHA1", QCryptographicHash::Sha1},
              {"SHA256", QCryptographicHash::Sha256},
              {"SHA512", QCryptographicHash::Sha512}}) {
            const auto line = [&](const QString& file, char change = 0) {
                QFile from(m_folder->filePath(file));
                const QByteArray content = from.open(QIODevice::ReadOnly) ? from.readAll() : QByteArray();
                return name + QByteArray("(") + file.toUtf8()
                    + ")= " + QCryptographicHash::hash(change ? content + change : content, algorithm).toHex() + "\n";
            };
            write("box.mf", line("box.ovf") + line("disk.raw"));
            QCOMPARE(whyNot("box.ovf"), QString());
            write("box.mf", line("box.ovf") + "\n" + line("disk.raw", 'x'));
            QVERIFY2(whyNot("box.ovf").startsWith("disk.raw is damaged"), qPrintable(whyNot("box.ovf")));
            write("box.mf", line("box.ovf", 'x') + line("disk.raw"));
            QVERIFY2(whyNot("box.ovf").startsWith("box.ovf is damaged"), qPrintable(whyNot("box.ovf")));
        }
        for (const QByteArray& strange :
             {QByteArray("MD5(box.ovf)= 00"), QByteArray("SHA1(box.ovf)= 00"), QByteArray(1000, '\xff')}) {
            write("box.mf", strange);
            QVERIFY(whyNot("box.ovf").contains("manifest"));
        }
    }

    void takesCompressedAndSplitDisks()
    {
        const QByteArray file = R"(<File ovf:id="file1" ovf:href="disk.raw.gz" ovf:compression="gzip" ovf:chunkSize="4000"/>)";
        if (!makeOva(ovf(sizes() + diskItem(), file))
            || !shell("gzip -k disk.raw && split -b 4000 -d -a 9 disk.raw.gz disk.raw.gz."))
            QSKIP("qemu-img, tar, split or gzip is not installed");
        QVERIFY(QFile::exists(m_folder->filePath("disk.raw.gz.000000001")));
        write("box.ovf", ovf(sizes() + diskItem(), file));
        QVERIFY(shell("sha256sum --tag box.ovf disk.raw.gz.0* | sed 's/ (/(/;s/ =/=/' > box.mf"));
        QVERIFY(shell("rm box.ova disk.raw.gz && tar --format=ustar -cf box.ova box.ovf box.mf disk.raw.gz.*"));
        QFile raw(m_folder->filePath("disk.raw"));
        QVERIFY(raw.open(QIODevice::ReadOnly));
        for (const QString name : {"box.ovf", "box.ova"}) {
            QCOMPARE(whyNot(name), QString());
            QVERIFY(contentOf(m_imported) == raw.peek(raw.size()));
        }
        // A part that was damaged is named, in an archive too.
        QVERIFY(shell("printf x | dd of=disk.raw.gz.000000001 bs=1 seek=100 conv=notrunc 2>&1"));
        QVERIFY(shell("tar --format=ustar -cf box.ova box.ovf box.mf disk.raw.gz.*"));
        for (const QString name : {"box.ovf", "box.ova"})
            QVERIFY2(whyNot(name).startsWith("disk.raw.gz.000000001 is damaged"), qPrintable(whyNot(name)));
        // One that is missing ends the disk early; one that is too short can't be between others.
        QVERIFY(shell("rm box.mf disk.raw.gz.000000001"));
        QVERIFY(whyNot("box.ovf").contains("cut short"));
        write("disk.raw.gz.000000001", "short");
        QVERIFY(whyNot("box.ovf").contains("size of a part"));
    }

    void refusesADiskThatUnpacksToFarMoreThanItIs()
    {
        write(
            "box.ovf",
            ovf(sizes() + diskItem(), R"(<File ovf:id="file1" ovf:href="disk.raw.gz" ovf:compression="gzip"/>)",
                R"(<Disk ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:capacity="1" ovf:capacityAllocationUnits="byte * 2^20"/>)"));
        if (!shell("head -c 100000000 /dev/zero | gzip > disk.raw.gz"))
            QSKIP("gzip is not installed");
        QVERIFY2(whyNot("box.ovf").contains("far more"), qPrintable(whyNot("box.ovf")));
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
