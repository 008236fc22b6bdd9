// The machine's window with the real engine, by real keys and clicks. The guest is a few instructions of firmware: for each byte
// that comes over the serial line it says the next letter of the alphabet, which it keeps in memory; so whoever hears it knows
// where in its life it is.

#include <QDockWidget>
#include <QFile>
#include <QLineEdit>
#include <QtTest>

#include "app/session/machine_session.h"
#include "ui/machine/machine_window.h"
#include "ui/snapshots/snapshot_view.h"

class SnapshotsEngineTest : public QObject {
    Q_OBJECT

    QTemporaryDir m_folder;
    std::unique_ptr<app::Settings> m_settings;
    std::unique_ptr<app::MachineSession> m_session;
    std::unique_ptr<ui::MachineWindow> m_window;
    QByteArray m_heard;

    void writeFirmware() const
    {
        QByteArray bios(256 << 10, '\xf4'), vga(2048, '\0');
        constexpr unsigned char reset[] = {0xea, 0x00, 0x00, 0x00, 0xf0};    // jmp f000:0000
        constexpr unsigned char program[] = {
            0x31, 0xc0, 0x8e, 0xd8,    // xor ax, ax; mov ds, ax
            0xc6, 0x06, 0x00, 0x06, 'a',    // mov byte [600], 'a'
            0xba, 0xfd, 0x03, 0xec,    // wait: mov dx, 3fd; in al, dx
            0xa8, 0x01, 0x74, 0xf8,    // test al, 1; jz wait
            0xba, 0xf8, 0x03, 0xec,    // mov dx, 3f8; in al, dx
            0xa0, 0x00, 0x06, 0xee,    // mov al, [600]; out dx, al
            0xfe, 0x06, 0x00, 0x06,    // inc byte [600]
            0xeb, 0xe8,    // jmp wait
        };
        bios.replace((256 << 10) - 16, sizeof reset, reinterpret_cast<const char*>(reset), sizeof reset);
        bios.replace((256 << 10) - (64 << 10), sizeof program, reinterpret_cast<const char*>(program), sizeof program);
        vga.replace(0, 3, "\x55\xaa\x04");
        for (const auto& [name, bytes] : {std::pair{"bios-256k.bin", bios}, std::pair{"vgabios-stdvga.bin", vga}}) {
            QFile file(m_folder.filePath(name));
            QVERIFY(file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size());
        }
    }

    void start()
    {
        m_window.reset();
        m_session.reset();
        engine::MachineDefinition definition;
        definition.memory_mib = 8;
        definition.firmware = m_folder.path().toStdString();
        definition.snapshots = m_folder.filePath("snapshots").toStdString();
        definition.accelerator = engine::Accelerator::translator;
        auto opened = app::MachineSession::open(definition);
        QVERIFY2(opened, opened ? "" : opened.error().text().c_str());
        m_session = std::move(opened.value());
        connect(m_session.get(), &app::MachineSession::serialOutput, this, [this](const QByteArray& bytes) { m_heard += bytes; });
        m_window = std::make_unique<ui::MachineWindow>(*m_session, *m_settings);
        m_window->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_window.get()));
        QApplication::setActiveWindow(m_window.get());    // there may be no window manager
        m_session->start();
        QTRY_VERIFY(m_session->state() == engine::MachineState::running);
    }

    // What the guest says next.
    QByteArray ask()
    {
        m_heard.clear();
        m_session->serialInput("x");
        (void)QTest::qWaitFor([this] { return !m_heard.isEmpty(); }, 30'000);
        return m_heard;
    }

    ui::SnapshotView& view() const { return *m_window->findChild<ui::SnapshotView*>(); }
    QString rows() const
    {
        QStringList texts;
        for (int row = 0; row < view().model()->rowCount(); ++row)
            texts << view().model()->index(row, 0).data().toString();
        return texts.join(u'|');
    }

    void type(const QString& text) const
    {
        for (const QChar letter : text)
            QTest::keyClick(m_window->windowHandle(), letter.toLatin1());
    }

    void take(const QString& name)
    {
        QSignalSpy taken(m_session.get(), &app::MachineSession::snapshotTaken);
        QTest::keyClick(m_window->windowHandle(), Qt::Key_N, Qt::ControlModifier | Qt::AltModifier);
        QTRY_VERIFY(view().findChild<QLineEdit*>());
        type(name);
        QTest::keyClick(m_window->windowHandle(), Qt::Key_Return);
        QTRY_COMPARE_WITH_TIMEOUT(taken.size(), 1, 30'000);
        QTRY_VERIFY(rows().contains(name));
        QTRY_VERIFY(!view().findChild<QLineEdit*>());
    }

    void doubleClick(const QString& name)
    {
        QSignalSpy back(m_session.get(), &app::MachineSession::wentBack);
        const auto found = view().model()->match(view().model()->index(0, 0), Qt::DisplayRole, name, 1, Qt::MatchExactly);
        QCOMPARE(found.size(), 1);
        view().scrollTo(found[0]);
        const QPoint at = view().viewport()->mapTo(m_window.get(), view().visualRect(found[0]).center());
        QTest::mouseClick(m_window->windowHandle(), Qt::LeftButton, {}, at);
        QTest::mouseDClick(m_window->windowHandle(), Qt::LeftButton, {}, at);
        QTRY_COMPARE_WITH_TIMEOUT(back.size(), 1, 30'000);
    }

private slots:
    void initTestCase()
    {
        writeFirmware();
        m_settings = std::make_unique<app::Settings>(m_folder.filePath("settings.ini"));
        start();
    }
    void cleanupTestCase()
    {
        m_window.reset();
        m_session.reset();
    }

    void takesNamesBranchesDeletesAndComesBack()
    {
        QCOMPARE(ask(), QByteArray("a"));
        QTest::keyClick(m_window->windowHandle(), Qt::Key_H, Qt::ControlModifier | Qt::AltModifier);
        QTRY_VERIFY(m_window->findChild<QDockWidget*>()->isVisible());
        take("first");
        QCOMPARE(rows(), QString("first|You are here"));
        QCOMPARE(ask(), QByteArray("b"));
        QCOMPARE(ask(), QByteArray("c"));
        take("second");
        QCOMPARE(rows(), QString("first|second|You are here"));
        QCOMPARE(ask(), QByteArray("d"));

        // Back, and on from there: a branch.
        doubleClick("first");
        QCOMPARE(ask(), QByteArray("b"));
        take("third");
        QTRY_VERIFY(rows().startsWith("first|second|") && rows().endsWith("|third|You are here"));
        const auto branch = view().model()->index(1, 0).data(ui::SnapshotList::rowRole).value<ui::GraphRow>();
        QVERIFY(branch.branchesOff && branch.lane == 1);

        // What was before going back is kept behind the second one, and says its next letter.
        const QModelIndex kept = view().model()->index(2, 0);
        QVERIFY(kept.data(ui::SnapshotList::noteRole).toString().contains("first"));
        doubleClick(kept.data().toString());
        QCOMPARE(ask(), QByteArray("e"));

        // Enter goes there as well; Delete, undo and F2 by the keyboard.
        view().setFocus();
        view().setCurrentIndex(view().model()->index(0, 0));
        QSignalSpy back(m_session.get(), &app::MachineSession::wentBack);
        QTest::keyClick(m_window->windowHandle(), Qt::Key_Return);
        QTRY_COMPARE_WITH_TIMEOUT(back.size(), 1, 30'000);
        QCOMPARE(ask(), QByteArray("b"));
        const auto second = view().model()->match(view().model()->index(0, 0), Qt::DisplayRole, "second", 1, Qt::MatchExactly);
        QCOMPARE(second.size(), 1);
        view().setFocus();
        view().setCurrentIndex(second[0]);
        QTest::keyClick(m_window->windowHandle(), Qt::Key_Delete);
        QTRY_VERIFY(!rows().contains("second"));
        QTest::keyClick(m_window->windowHandle(), Qt::Key_Z, Qt::ControlModifier);
        QTRY_VERIFY(rows().contains("second"));
        view().setCurrentIndex(view().model()->match(view().model()->index(0, 0), Qt::DisplayRole, "second")[0]);
        QTest::keyClick(m_window->windowHandle(), Qt::Key_F2);
        type("renamed");
        QTest::keyClick(m_window->windowHandle(), Qt::Key_Return);
        QTRY_VERIFY(rows().contains("renamed") && !rows().contains("second"));
        doubleClick("renamed");
        QCOMPARE(ask(), QByteArray("d"));
    }

    void closesBySavingAndGoesOn()
    {
        QCOMPARE(ask(), QByteArray("e"));
        const auto tree = engine::SnapshotTree::open(m_session->definition().snapshots);
        const auto before = tree.value()->list(false).size();
        m_window->close();
        QTRY_VERIFY_WITH_TIMEOUT(!m_window->isVisible(), 30'000);
        QVERIFY(m_session->stopReason()->kind == engine::StopReason::Kind::saved);
        QVERIFY(!tree.value()->saved_state().empty());
        QCOMPARE(tree.value()->list(false).size(), before + 1);
        start();
        QCOMPARE(ask(), QByteArray("f"));
        QVERIFY(m_window->findChild<QDockWidget*>()->isVisible());
        QTRY_VERIFY(rows().contains("renamed"));
    }
};

QTEST_MAIN(SnapshotsEngineTest)
#include "snapshots_engine_test.moc"
