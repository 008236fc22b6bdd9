#include <QtTest>

#include "ui/new_machine/new_machine_sheet.h"

using ui::NewMachineSheet;

namespace {

constexpr int sector = 2048;

// The least that is an ISO image: a primary volume descriptor, an El Torito record with one BIOS entry, a terminator.
QByteArray isoImage(const QByteArray& volume)
{
    QByteArray image(24 * sector, 0);
    const auto put = [&](int at, const QByteArray& bytes) { image.replace(at, bytes.size(), bytes); };
    const auto both = [](quint32 value) {
        QByteArray bytes(8, 0);
        for (int i = 0; i < 4; ++i)
            bytes[i] = bytes[7 - i] = char(value >> (8 * i));
        return bytes;
    };
    const int primary = 16 * sector, boot = 17 * sector, catalogue = 19 * sector;
    put(primary, QByteArray("\1CD001\1", 7));
    put(primary + 8, QByteArray(32, ' '));
    put(primary + 40, volume.leftJustified(32, ' '));
    put(primary + 80, both(24));
    put(primary + 120, QByteArray("\1\0\0\1", 4));
    put(primary + 124, QByteArray("\1\0\0\1", 4));
    put(primary + 128, QByteArray("\0\10\10\0", 4));
    put(primary + 156, QByteArray("\42\0", 2) + both(20) + both(sector));
    image[primary + 156 + 25] = 2;
    image[primary + 156 + 32] = 1;
    image[primary + 881] = 1;
    put(boot, QByteArray("\0CD001\1EL TORITO SPECIFICATION", 30));
    image[boot + 71] = 19;
    put(catalogue, QByteArray("\1", 1));
    put(catalogue + 28, QByteArray("\xaa\x55\x55\xaa", 4));
    put(catalogue + 32, QByteArray("\x88\0\0\0\0\0\4\0\25\0\0\0", 12));
    put(18 * sector, QByteArray("\377CD001\1", 7));
    return image;
}

}

class NewMachineSheetTest : public QObject {
    Q_OBJECT

    QTemporaryDir m_folder;
    std::unique_ptr<app::MachineLibrary> m_library;

    QString file(const QString& name, const QByteArray& bytes)
    {
        QFile made(m_folder.filePath(name));
        if (made.open(QIODevice::WriteOnly))
            made.write(bytes);
        return made.fileName();
    }
    // All that the page says under its fields.
    static QString remarks(const NewMachineSheet& sheet)
    {
        QString all;
        for (const QLabel* label : sheet.findChildren<QLabel*>())
            all += label->text() + u'\n';
        return all;
    }
    template <class Widget> static Widget* field(NewMachineSheet& sheet, const QString& name)
    {
        for (Widget* widget : sheet.findChildren<Widget*>())
            if (widget->accessibleName() == name)
                return widget;
        return nullptr;
    }

private slots:
    void init() { m_library = std::make_unique<app::MachineLibrary>(m_folder.filePath(QTest::currentTestFunction())); }

    void fillsInFromTheDisc()
    {
        const QString iso = file("d.iso", isoImage("TINY_RESCUE"));
        NewMachineSheet sheet(*m_library, iso);
        QCOMPARE(QString::fromStdString(sheet.draft().definition.name), QString("TINY RESCUE"));
        QCOMPARE(QString::fromStdString(sheet.draft().definition.cdrom), iso);
        QCOMPARE(sheet.draft().diskBytes, quint64(0));    // too small for an installer
        QVERIFY(sheet.draft().definition.memory_mib >= 64);
        QVERIFY(sheet.draft().definition.cpus >= 1);
    }

    void createsOnEnter()
    {
        NewMachineSheet sheet(*m_library, file("d.iso", isoImage("ENTER")));
        QSignalSpy created(&sheet, &NewMachineSheet::created);
        sheet.show();
        QVERIFY(QTest::qWaitForWindowExposed(&sheet));
        QTest::keyClick(&sheet, Qt::Key_Return);
        QCOMPARE(created.size(), 1);
        QCOMPARE(m_library->names(), QStringList{"ENTER"});
        QVERIFY(!sheet.isVisible());
    }

    void eachLabelsKeyReachesItsField()
    {
        const NewMachineSheet sheet(*m_library);
        int labels = 0;
        for (const QLabel* label : sheet.findChildren<QLabel*>())
            if (label->text().contains(u'&')) {
                QVERIFY2(label->buddy() && label->buddy()->focusPolicy() != Qt::NoFocus, qPrintable(label->text()));
                ++labels;
            }
        QCOMPARE(labels, 7);
    }

    void saysWhatIsWrong()
    {
        NewMachineSheet sheet(*m_library);
        QSignalSpy created(&sheet, &NewMachineSheet::created);
        sheet.show();
        QVERIFY(QTest::qWaitForWindowExposed(&sheet));
        auto* name = field<QLineEdit>(sheet, "Name");
        QVERIFY(name);
        name->setText("a/b");
        QVERIFY(remarks(sheet).contains("slash"));
        for (const QLabel* label : sheet.findChildren<QLabel*>())    // no word of it is cut off
            QVERIFY(label->isHidden() || !label->wordWrap() || label->height() >= label->heightForWidth(label->width()));
        QTest::keyClick(&sheet, Qt::Key_Return);
        QCOMPARE(created.size(), 0);
        QVERIFY(sheet.isVisible());
        QCOMPARE(sheet.focusWidget(), static_cast<QWidget*>(name));
        name->setText("fine");

        auto* memory = field<QSpinBox>(sheet, "Memory");
        memory->setValue(0);
        QVERIFY(remarks(sheet).contains("0 MiB"));
        memory->setValue(10 * 1024 * 1024);
        QVERIFY(remarks(sheet).contains("at most"));
        QTest::keyClick(&sheet, Qt::Key_Return);
        QCOMPARE(created.size(), 0);
        memory->setValue(64);
        field<QSpinBox>(sheet, "Processors")->setValue(33);
        QTest::keyClick(&sheet, Qt::Key_Return);
        QCOMPARE(created.size(), 0);
        QVERIFY(m_library->names().isEmpty());
    }

    void refusesWhatIsNoImage()
    {
        NewMachineSheet sheet(*m_library, file("text.iso", QByteArray("just words\n").repeated(1000)));
        QVERIFY(remarks(sheet).contains("text.iso"));
        QSignalSpy created(&sheet, &NewMachineSheet::created);
        sheet.show();
        QTest::keyClick(&sheet, Qt::Key_Return);
        QCOMPARE(created.size(), 0);
        sheet.setImage(m_folder.filePath("absent.iso"));
        QVERIFY(remarks(sheet).contains("no such file"));
        sheet.setImage(file("cut.iso", isoImage("CUT").left(20 * sector)));
        QVERIFY(remarks(sheet).contains("cut", Qt::CaseInsensitive) || remarks(sheet).contains("truncated"));
    }

    void keepsWhatThePersonTyped()
    {
        NewMachineSheet sheet(*m_library);
        auto* name = field<QLineEdit>(sheet, "Name");
        name->clear();
        QTest::keyClicks(name, "mine");
        field<QSpinBox>(sheet, "Memory")->setValue(128);
        sheet.setImage(file("d.iso", isoImage("THEIRS")));
        QCOMPARE(QString::fromStdString(sheet.draft().definition.name), QString("mine"));
        QCOMPARE(sheet.draft().definition.memory_mib, engine::u64(128));
    }

    void takesFloppies()
    {
        QByteArray floppy(1440 * 1024, 0);
        floppy.replace(510, 2, "\x55\xaa");
        NewMachineSheet sheet(*m_library, file("boot.img", floppy));
        QVERIFY(!sheet.draft().definition.floppy.empty());
        QVERIFY(sheet.draft().definition.cdrom.empty());
        QCOMPARE(QString::fromStdString(sheet.draft().definition.name), QString("boot"));
    }

    void tellsAboutKvm()
    {
        NewMachineSheet sheet(*m_library);
        QTRY_VERIFY(!remarks(sheet).contains("Looking whether"));
    }

    void namesEveryFieldForScreenReaders()
    {
        NewMachineSheet sheet(*m_library);
        for (const QWidget* widget : sheet.findChildren<QWidget*>())
            if (widget->focusPolicy() & Qt::TabFocus && !widget->focusProxy() && !qobject_cast<const QPushButton*>(widget)
                && !QByteArray(widget->metaObject()->className()).startsWith("QComboBoxPrivate")
                && !qobject_cast<const QLineEdit*>(widget) && !widget->inherits("QAbstractItemView"))
                QVERIFY2(!widget->accessibleName().isEmpty(), widget->metaObject()->className());
    }
};

QTEST_MAIN(NewMachineSheetTest)
#include "new_machine_sheet_test.moc"
