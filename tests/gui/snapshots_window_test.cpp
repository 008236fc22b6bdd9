#include <algorithm>

#include <QDockWidget>
#include <QLineEdit>
#include <QMenuBar>
#include <QMessageBox>
#include <QScrollBar>
#include <QtTest>

#include "tests/gui/fake_machine.h"
#include "tests/gui/fake_snapshots.h"
#include "ui/machine/machine_window.h"
#include "ui/snapshots/snapshot_view.h"

using Kind = engine::SnapshotInfo::Kind;

class SnapshotsWindowTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<app::Settings> m_settings;

    struct Opened {
        explicit Opened(bool trial = false) : fake("guest", "/nowhere", trial) { }
        FakeSession fake;
        FakeSnapshots some;
        std::unique_ptr<ui::MachineWindow> window;
        void open(app::Settings& settings)
        {
            window = std::make_unique<ui::MachineWindow>(*fake.session, settings, nullptr, some.factory());
            window->show();
            QVERIFY(QTest::qWaitForWindowExposed(window.get()));
            QApplication::setActiveWindow(window.get());    // there may be no window manager
            fake.session->start();
            fake.machine->show(320, 200, 0xff204060);
            QTRY_VERIFY(action("Take snapshot")->isEnabled());
        }
        QAction* action(const QString& text) const
        {
            for (QAction* found : window->findChildren<QAction*>())
                if (found->text().remove(u'&') == text)
                    return found;
            return nullptr;
        }
        QPushButton* button(const QString& text) const
        {
            for (QPushButton* found : window->findChildren<QPushButton*>())
                if (found->isVisible() && found->text().remove(u'&') == text)
                    return found;
            return nullptr;
        }
        void answer(const QString& text) const
        {
            auto* question = window->findChild<QMessageBox*>();
            QVERIFY(question);
            for (QAbstractButton* found : question->buttons())
                if (found->text().remove(u'&') == text)
                    return found->click();
            QFAIL(qPrintable(text));
        }
        ui::SnapshotView* view() const { return window->findChild<ui::SnapshotView*>(); }
        QString rows() const
        {
            QStringList texts;
            for (int row = 0; row < view()->model()->rowCount(); ++row)
                texts << view()->model()->index(row, 0).data().toString();
            return texts.join(u'|');
        }
    };

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        m_settings = std::make_unique<app::Settings>(m_folder->filePath("settings.ini"));
    }

    void aMachineThatIsNotKeptHasNone()
    {
        FakeSession fake("guest");
        ui::MachineWindow window(*fake.session, *m_settings);
        QVERIFY(!window.findChild<QDockWidget*>() && !window.findChild<ui::FilmStrip*>());
    }

    void theSidebarIsRememberedAndSaysWhatItIsFor()
    {
        for (const bool again : {false, true}) {
            Opened opened;
            opened.open(*m_settings);
            auto* dock = opened.window->findChild<QDockWidget*>();
            QCOMPARE(dock->isVisible(), again);
            if (!again)
                QTest::keyClick(opened.window.get(), Qt::Key_H, Qt::ControlModifier | Qt::AltModifier);
            QTRY_VERIFY(dock->isVisible());
            // Once it is known that there are none.
            QTRY_VERIFY(std::ranges::any_of(dock->findChildren<QLabel*>(), [](const QLabel* label) {
                return label->isVisible() && label->text().contains("come back");
            }));
            opened.fake.machine->stop({engine::StopReason::Kind::saved, 0, {}});
            QTRY_VERIFY(!opened.window->isVisible());
        }
    }

    // The name is typed at once; the machine and the disk take their time.
    void takesAndNames()
    {
        Opened opened;
        opened.open(*m_settings);
        opened.window->findChild<QDockWidget*>()->show();
        opened.fake.machine->keys.clear();
        QTest::keyClick(&opened.window->view(), Qt::Key_N, Qt::ControlModifier | Qt::AltModifier);
        QTRY_COMPARE(opened.fake.machine->takes.size(), size_t(1));
        QCOMPARE(opened.rows(), QString("New snapshot|You are here"));
        QTRY_VERIFY(opened.view()->findChild<QLineEdit*>());
        auto* editor = opened.view()->findChild<QLineEdit*>();
        QTest::keyClicks(editor, "before ");
        // It gets there in the middle of the word.
        opened.fake.machine->listener.snapshot_progress({"1", 30, 100});
        opened.fake.machine->listener.snapshot_taken(opened.some.add("1", "", 1));
        QTRY_VERIFY(opened.window->messages().text().contains("Snapshot taken"));
        QTest::qWait(50);
        QCOMPARE(opened.view()->findChild<QLineEdit*>(), editor);
        QTest::keyClicks(editor, "update");
        QTest::keyClick(editor, Qt::Key_Return);
        QTRY_COMPARE(opened.rows(), QString("before update|You are here"));
        QTRY_COMPARE(opened.some.all()[0].name, std::string("before update"));    // on a thread of its own
        QTRY_VERIFY(opened.window->view().hasFocus());
        QTest::qWait(20);
        QCOMPARE(opened.fake.machine->takes.size(), size_t(1));    // that Enter did not go anywhere
        // And in the other order.
        QTest::keyClick(&opened.window->view(), Qt::Key_N, Qt::ControlModifier | Qt::AltModifier);
        QTRY_VERIFY(opened.view()->findChild<QLineEdit*>() && opened.view()->findChild<QLineEdit*>() != editor);
        editor = opened.view()->findChildren<QLineEdit*>().last();
        QTest::keyClicks(editor, "after");
        QTest::keyClick(editor, Qt::Key_Return);
        QTRY_COMPARE(opened.rows(), QString("before update|after|You are here"));
        QTRY_COMPARE(opened.fake.machine->takes.size(), size_t(2));
        opened.fake.machine->listener.snapshot_taken(opened.some.add("2", "", 2));
        QTRY_COMPARE(opened.some.all()[1].name, std::string("after"));
        QTRY_COMPARE(opened.rows(), QString("before update|after|You are here"));
    }

    void aClickOnAnotherRowEndsTheNamingAndChoosesThatRow()
    {
        Opened opened;
        opened.some.add("1", "one", 1);
        opened.open(*m_settings);
        opened.window->findChild<QDockWidget*>()->show();
        QTRY_COMPARE(opened.rows(), QString("one|You are here"));
        QTest::keyClick(&opened.window->view(), Qt::Key_N, Qt::ControlModifier | Qt::AltModifier);
        auto* view = opened.view();
        QTRY_VERIFY(view->findChild<QLineEdit*>());
        QTest::keyClicks(view->findChild<QLineEdit*>(), "second");
        const QPoint first = view->visualRect(view->model()->index(0, 0)).center();
        QTest::mouseClick(view->viewport(), Qt::LeftButton, {}, first);
        QTRY_COMPARE(opened.rows(), QString("one|second|You are here"));
        QTRY_VERIFY(view->hasFocus());
        QTest::qWait(20);
        QCOMPARE(view->currentIndex().row(), 0);
        opened.fake.machine->listener.snapshot_taken(opened.some.add("2", "", 2));
        QTRY_COMPARE(opened.some.all()[1].name, std::string("second"));
        QCOMPARE(view->currentIndex().row(), 0);
    }

    void aHiddenSidebarOffersToNameIt()
    {
        Opened opened;
        opened.open(*m_settings);
        opened.action("Take snapshot")->trigger();
        QTRY_COMPARE(opened.fake.machine->takes.size(), size_t(1));
        QVERIFY(!opened.action("Take snapshot")->isEnabled());
        opened.fake.machine->listener.snapshot_taken(opened.some.add("1", "", 1));
        QTRY_VERIFY(opened.button("Name it"));
        QTRY_VERIFY(opened.action("Take snapshot")->isEnabled());
        QTest::mouseClick(opened.button("Name it"), Qt::LeftButton);
        QTRY_VERIFY(opened.view()->findChild<QLineEdit*>());
        QVERIFY(opened.view()->isVisible());
    }

    void saysWhyNoneWasTaken()
    {
        Opened opened;
        opened.open(*m_settings);
        opened.action("Take snapshot")->trigger();
        QTRY_COMPARE(opened.fake.machine->takes.size(), size_t(1));
        opened.fake.machine->listener.snapshot_failed({"The snapshot was not taken", "the disk is full", "Make room"});
        QTRY_VERIFY(opened.window->messages().text().contains("disk is full"));
        QTRY_VERIFY(opened.action("Take snapshot")->isEnabled());
    }

    void goesBackAndKeepsThePresent()
    {
        Opened opened;
        opened.some.add("1", "one", 1);
        opened.some.add("2", "two", 2);
        opened.open(*m_settings);
        opened.window->findChild<QDockWidget*>()->show();
        QTRY_COMPARE(opened.rows(), QString("one|two|You are here"));
        auto* view = opened.view();
        const QPoint first = view->visualRect(view->model()->index(0, 0)).center();
        QTest::mouseClick(view->viewport(), Qt::LeftButton, {}, first);
        QTest::mouseDClick(view->viewport(), Qt::LeftButton, {}, first);
        QTRY_COMPARE(opened.fake.machine->takes.size(), size_t(1));
        QVERIFY(opened.fake.machine->takes[0].kind == Kind::automatic);
        QVERIFY(QString::fromStdString(opened.fake.machine->takes[0].note).contains("one"));
        opened.fake.machine->listener.snapshot_taken(opened.some.add("3", "", 3, Kind::automatic));
        QTRY_COMPARE(opened.fake.machine->restores, QStringList{"1"});
        opened.some.moveTo("1");
        opened.fake.machine->listener.snapshot_restored("1");
        QTRY_VERIFY(opened.window->messages().text().contains("back at “one”"));
        QTRY_VERIFY(opened.rows().startsWith("one|two|") && opened.rows().endsWith("|You are here"));
        // Undo goes to what was kept.
        QTest::mouseClick(opened.button("Undo"), Qt::LeftButton);
        QTRY_COMPARE(opened.fake.machine->takes.size(), size_t(2));
        opened.fake.machine->listener.snapshot_taken(opened.some.add("4", "", 4, Kind::automatic));
        QTRY_COMPARE(opened.fake.machine->restores.size(), 2);
        QCOMPARE(opened.fake.machine->restores[1], QString("3"));
    }

    void keysWalkTheTree()
    {
        Opened opened;
        opened.some.add("1", "one", 1);
        opened.some.add("2", "two", 2);
        opened.some.moveTo("1");
        opened.some.add("3", "three", 3);
        opened.open(*m_settings);
        opened.window->findChild<QDockWidget*>()->show();
        QTRY_COMPARE(opened.rows(), QString("one|two|three|You are here"));
        auto* view = opened.view();
        view->setCurrentIndex(view->model()->index(2, 0));
        view->setFocus();
        QTest::keyClick(view, Qt::Key_Left);
        QCOMPARE(view->currentIndex().row(), 0);
        QTest::keyClick(view, Qt::Key_Right);
        QCOMPARE(view->currentIndex().row(), 1);
        QTest::keyClick(view, Qt::Key_Delete);
        QTRY_COMPARE(opened.rows(), QString("one|three|You are here"));
        QVERIFY(opened.window->messages().text().contains("“two”"));
        QTest::keyClick(view, Qt::Key_Z, Qt::ControlModifier);
        QTRY_COMPARE(opened.rows(), QString("one|two|three|You are here"));
        view->setCurrentIndex(view->model()->index(1, 0));
        QTest::keyClick(view, Qt::Key_F2);
        auto* editor = view->findChild<QLineEdit*>();
        QVERIFY(editor && editor->text() == "two" && !editor->accessibleName().isEmpty());
        QTest::keyClicks(editor, "2");
        QTest::keyClick(editor, Qt::Key_Return);
        QTRY_COMPARE(opened.rows(), QString("one|2|three|You are here"));
        const QString spoken = view->model()->index(1, 0).data(Qt::AccessibleTextRole).toString();
        QVERIFY2(spoken.contains("“2”") && spoken.contains("after “one”"), qPrintable(spoken));
        QTest::keyClick(view, Qt::Key_Escape);
        QTRY_VERIFY(opened.window->view().hasFocus());
    }

    // The message goes away by itself; this doesn't.
    void undoStaysInSightUntilTheWindowIsClosed()
    {
        Opened opened;
        opened.some.add("1", "one", 1);
        opened.some.add("2", "two", 2);
        opened.open(*m_settings);
        opened.window->findChild<QDockWidget*>()->show();
        QTRY_COMPARE(opened.rows(), QString("one|two|You are here"));
        opened.view()->setCurrentIndex(opened.view()->model()->index(0, 0));
        opened.action("Delete")->trigger();
        QTRY_COMPARE(opened.rows(), QString("two|You are here"));
        opened.window->messages().hide();
        QToolButton* undo = nullptr;
        for (QToolButton* found : opened.window->findChildren<QToolButton*>())
            if (found->isVisible() && found->text().remove(u'&') == "Undo deletion of “one”")
                undo = found;
        QVERIFY(undo);
        bool inMenu = false;
        for (const QMenu* menu : opened.window->menuBar()->findChildren<QMenu*>())
            inMenu |= menu->actions().contains(undo->defaultAction());
        QVERIFY(inMenu);
        // The guest's own undo is not ours.
        opened.window->view().setFocus();
        QTest::keyClick(&opened.window->view(), Qt::Key_Z, Qt::ControlModifier);
        QTest::qWait(30);
        QCOMPARE(opened.some.all().size(), size_t(1));
        undo->click();
        QTRY_COMPARE(opened.rows(), QString("one|two|You are here"));
        QTRY_VERIFY(!undo->isVisible());
    }

    void theFilmStripHasRoomForAScrollBarWhereThereIsOne()
    {
        Opened opened;
        opened.some.add("1", "", 1, Kind::automatic);
        opened.open(*m_settings);
        auto* strip = opened.window->findChild<ui::FilmStrip*>();
        QTRY_VERIFY(strip->isVisible());
        const int few = strip->height();
        QVERIFY(!strip->horizontalScrollBar()->isVisible());
        for (const char* id : {"2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17"})
            opened.fake.machine->listener.snapshot_taken(opened.some.add(id, "", atoi(id), Kind::automatic));
        QTRY_COMPARE(strip->model()->rowCount(), 17);
        QTRY_VERIFY(strip->horizontalScrollBar()->isVisible());
        QTRY_VERIFY(strip->height() > few);
    }

    void guestKeepsItsKeys()
    {
        Opened opened;
        opened.some.add("1", "one", 1);
        opened.open(*m_settings);
        opened.window->findChild<QDockWidget*>()->show();
        QTRY_COMPARE(opened.rows(), QString("one|You are here"));
        opened.view()->setCurrentIndex(opened.view()->model()->index(0, 0));
        opened.window->view().setFocus();
        opened.fake.machine->keys.clear();
        for (const Qt::Key key : {Qt::Key_Delete, Qt::Key_F2})
            QTest::keyClick(&opened.window->view(), key);
        QTest::qWait(30);
        QCOMPARE(opened.rows(), QString("one|You are here"));
        QVERIFY(!opened.view()->findChild<QLineEdit*>());
    }

    void theFilmStripGoesThereAtAClick()
    {
        Opened opened;
        opened.some.add("1", "", 1, Kind::automatic);
        opened.some.add("2", "", 2, Kind::automatic);
        opened.open(*m_settings);
        auto* strip = opened.window->findChild<ui::FilmStrip*>();
        QTRY_VERIFY(strip->isVisible());
        QTRY_COMPARE(strip->model()->rowCount(), 2);
        QVERIFY(!strip->model()->index(0, 0).data(Qt::AccessibleTextRole).toString().isEmpty());
        const QPoint first = strip->visualRect(strip->model()->index(0, 0)).center();
        QTest::mouseMove(strip->viewport(), first + QPoint(1, 1));
        QTest::mouseClick(strip->viewport(), Qt::LeftButton, {}, first);
        QTRY_COMPARE(opened.fake.machine->takes.size(), size_t(1));
        opened.fake.machine->listener.snapshot_taken(opened.some.add("3", "", 3, Kind::automatic));
        QTRY_COMPARE(opened.fake.machine->restores, QStringList{"1"});
        QTRY_COMPARE(strip->model()->rowCount(), 3);
        opened.action("Film strip")->trigger();
        QTRY_VERIFY(!strip->isVisible());
    }

    void closingSavesWithoutAQuestion()
    {
        Opened opened;
        opened.open(*m_settings);
        opened.window->close();
        opened.window->close();
        QTRY_COMPARE(opened.fake.machine->said.count("save and stop"), 1);
        QVERIFY(opened.window->isVisible() && !opened.window->findChild<QMessageBox*>());
        opened.fake.machine->listener.snapshot_taken(opened.some.add("1", "", 1, Kind::closing));
        opened.fake.machine->stop({engine::StopReason::Kind::saved, 0, {}});
        QTRY_VERIFY(!opened.window->isVisible());
    }

    void closingWaitsForTheSnapshotUnderWay()
    {
        Opened opened;
        opened.open(*m_settings);
        opened.action("Take snapshot")->trigger();
        QTRY_COMPARE(opened.fake.machine->takes.size(), size_t(1));
        opened.window->close();
        QTest::qWait(600);
        QVERIFY(!opened.fake.machine->said.contains("save and stop"));
        QVERIFY(opened.window->messages().isVisible() && opened.window->findChild<QProgressBar*>()->isVisible());
        opened.fake.machine->listener.snapshot_taken(opened.some.add("1", "", 1));
        QTRY_VERIFY(opened.fake.machine->said.contains("save and stop"));
        // What can't be saved is said, and then the person decides.
        opened.fake.machine->listener.snapshot_failed({"The machine was not saved", "the disk is full", "Make room"});
        QTRY_VERIFY(opened.window->findChild<QMessageBox*>());
        QVERIFY(opened.window->messages().text().contains("disk is full"));
    }

    void triesInACopy()
    {
        Opened opened;
        opened.some.add("1", "one", 1);
        opened.open(*m_settings);
        QSignalSpy tried(opened.window.get(), &ui::MachineWindow::trialWanted);
        QTRY_COMPARE(opened.rows(), QString("one|You are here"));
        opened.view()->setCurrentIndex(opened.view()->model()->index(0, 0));
        for (QAction* action : opened.view()->actions())
            if (action->text().remove(u'&') == "Try in a copy")
                action->trigger();
        QCOMPARE(tried.size(), 1);
        QCOMPARE(tried[0][0].toString(), QString("1"));
        // As it is: a snapshot comes first.
        for (QAction* action : opened.window->menuBar()->actions())
            for (QAction* inside : action->menu()->actions())
                if (inside->text().remove(u'&') == "Try in a copy")
                    inside->trigger();
        QTRY_COMPARE(opened.fake.machine->takes.size(), size_t(1));
        QCOMPARE(tried.size(), 1);
        opened.fake.machine->listener.snapshot_taken(opened.some.add("2", "", 2, Kind::automatic));
        QTRY_COMPARE(tried.size(), 2);
        QCOMPARE(tried[1][0].toString(), QString("2"));
    }

    void asksWhatBecomesOfATrial()
    {
        Opened opened(true);
        opened.open(*m_settings);
        QVERIFY(opened.window->messages().text().contains("trial"));
        QVERIFY(!opened.action("Save and close"));
        opened.window->close();
        opened.answer("Go on trying");
        QTRY_VERIFY(!opened.window->findChild<QMessageBox*>());
        QVERIFY(opened.window->isVisible());
        opened.action("End the trial…")->trigger();
        opened.answer("Keep as a snapshot");
        QTRY_COMPARE(opened.fake.machine->said.count("save and stop"), 1);
        opened.fake.machine->listener.snapshot_taken(opened.some.add("1", "", 1));
        opened.fake.machine->stop({engine::StopReason::Kind::saved, 0, {}});
        QTRY_VERIFY(!opened.window->isVisible());
        QVERIFY(!opened.fake.session->keepsTrialsDisks());
    }

    void aTrialCanBeThrownAway()
    {
        Opened opened(true);
        opened.open(*m_settings);
        opened.window->close();
        opened.answer("Throw away");
        QTRY_VERIFY(!opened.window->isVisible());
        QVERIFY(!opened.fake.machine->said.contains("save and stop") && !opened.fake.session->keepsTrialsDisks());
    }

    void aTrialThatSwitchedItselfOffCanBeKept()
    {
        Opened opened(true);
        opened.open(*m_settings);
        opened.fake.machine->stop({engine::StopReason::Kind::powered_off, 0, {}});
        QTRY_VERIFY(opened.window->findChild<QMessageBox*>());
        QVERIFY(opened.window->isVisible());
        opened.answer("Keep as a snapshot");
        QTRY_VERIFY(!opened.window->isVisible());
        QVERIFY(opened.fake.session->keepsTrialsDisks());
    }

    void powerOffIsAChoiceOfItsOwn()
    {
        Opened opened;
        opened.open(*m_settings);
        QVERIFY(opened.action("Save and close"));
        opened.action("Power off (force)…")->trigger();
        auto* question = opened.window->findChild<QMessageBox*>();
        QVERIFY(question && opened.fake.machine->said.isEmpty());
        for (QAbstractButton* button : question->buttons())
            if (button->text().remove(u'&') == "Power off")
                button->click();
        QTRY_VERIFY(!opened.window->isVisible());
        QVERIFY(!opened.fake.machine->said.contains("save and stop"));
    }

    void everythingHasAName()
    {
        Opened opened;
        opened.some.add("1", "one", 1, Kind::automatic);
        opened.open(*m_settings);
        opened.window->findChild<QDockWidget*>()->show();
        for (const QWidget* widget : opened.window->findChildren<QWidget*>()) {
            if (!widget->isVisible() || !(widget->focusPolicy() & Qt::TabFocus) || widget->objectName().startsWith("qt_"))
                continue;
            const auto* button = qobject_cast<const QAbstractButton*>(widget);
            const bool spoken = !widget->accessibleName().isEmpty() || (button && !button->text().isEmpty());
            QVERIFY2(
                spoken || widget->inherits("QMenuBar") || widget->inherits("QDockWidget"), widget->metaObject()->className());
        }
    }
};

QTEST_MAIN(SnapshotsWindowTest)
#include "snapshots_window_test.moc"
