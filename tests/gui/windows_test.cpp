#include <QDropEvent>
#include <QListView>
#include <QMenuBar>
#include <QMessageBox>
#include <QMimeData>
#include <QStandardPaths>
#include <QWindow>
#include <QtTest>

#include "app/session/hosted_machine.h"
#include "engine/snapshot/snapshot_directory.h"
#include "tests/gui/fake_machine.h"
#include "ui/library/library_window.h"
#include "ui/machine/machine_window.h"
#include "ui/snapshots/clone_sheet.h"
#include "ui/snapshots/snapshot_view.h"

class WindowsTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<app::Settings> m_settings;

    template <class Widget> static Widget* named(QWidget& window, const QString& text)
    {
        for (Widget* widget : window.findChildren<Widget*>())
            if (widget->text().remove(u'&') == text)
                return widget;
        return nullptr;
    }
    static QAction* action(QMainWindow& window, const QString& text)
    {
        for (QAction* found : window.findChildren<QAction*>())
            if (found->text().remove(u'&') == text)
                return found;
        return nullptr;
    }

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        qputenv("XDG_RUNTIME_DIR", m_folder->path().toLocal8Bit());
        m_settings = std::make_unique<app::Settings>(m_folder->filePath("settings.ini"));
    }

    void machineWindowFollowsTheMachine()
    {
        FakeSession fake("guest");
        ui::MachineWindow window(*fake.session, *m_settings);
        window.show();
        QVERIFY(QTest::qWaitForWindowExposed(&window));
        fake.session->start();
        fake.machine->show(320, 200, 0xff00ff00);
        QTRY_COMPARE(window.view().sizeHint(), QSize(320, 200) / window.devicePixelRatio());
        QTRY_VERIFY(window.windowTitle().startsWith("guest"));
        action(window, "Pause")->trigger();
        QTRY_VERIFY(window.windowTitle().contains("paused"));
        action(window, "Continue")->trigger();
        QTRY_VERIFY(!window.windowTitle().contains("paused"));
        action(window, "Send Ctrl+Alt+Del")->trigger();
        QTRY_COMPARE(fake.machine->keys, app::keyCombo("ctrl-alt-delete").value());
        auto* accelerator = named<QToolButton>(window, "Translator");
        QVERIFY(accelerator);
        QCOMPARE(accelerator->toolTip(), QString("/dev/kvm is missing"));
        accelerator->click();
        QVERIFY(window.messages().isVisible() && window.messages().text().contains("/dev/kvm"));
    }

    // One machine's window closing must not fix the size of the others.
    void growsToTheGuestUntilThePersonSizesIt()
    {
        for (const char* name : {"first", "second"}) {
            FakeSession fake(name);
            ui::MachineWindow window(*fake.session, *m_settings);
            window.show();
            QVERIFY(QTest::qWaitForWindowExposed(&window));
            fake.machine->show(320, 200, 0);
            QTRY_COMPARE(window.view().size() * window.devicePixelRatio(), QSize(320, 200));
            fake.machine->show(400, 300, 0);
            QTRY_COMPARE(window.view().size() * window.devicePixelRatio(), QSize(400, 300));
            window.close();
        }
        const QSize theirs(700, 500);
        for (const bool again : {false, true}) {
            FakeSession fake("first");
            ui::MachineWindow window(*fake.session, *m_settings);
            window.show();
            QVERIFY(QTest::qWaitForWindowExposed(&window));
            if (!again)
                window.windowHandle()->resize(theirs);    // as a window manager does it
            QTRY_COMPARE(window.size(), theirs);
            fake.machine->show(320, 200, 0);
            QTest::qWait(50);
            QCOMPARE(window.size(), theirs);
            window.close();
        }
    }

    void asksBeforeItPowersOff()
    {
        FakeSession fake("guest");
        ui::MachineWindow window(*fake.session, *m_settings);
        window.show();
        fake.session->start();
        QTRY_VERIFY(QTest::qWaitForWindowExposed(&window));
        window.close();
        QVERIFY(window.isVisible());
        auto* question = window.findChild<QMessageBox*>();
        QVERIFY(question && question->isVisible());
        QVERIFY(question->informativeText().contains("lost"));
        question->button(QMessageBox::Cancel)->click();
        QVERIFY(window.isVisible());
        QVERIFY(fake.machine->current == engine::MachineState::running);
        QTRY_VERIFY(!window.findChild<QMessageBox*>());
        window.close();
        for (QAbstractButton* button : window.findChild<QMessageBox*>()->buttons())
            if (button->text().remove(u'&') == "Power off")
                button->click();
        QTRY_VERIFY(!window.isVisible());
        QVERIFY(fake.machine->current == engine::MachineState::stopped);
    }

    void closesWhenTheGuestPowersOff()
    {
        FakeSession fake("guest");
        ui::MachineWindow window(*fake.session, *m_settings);
        window.show();
        fake.session->start();
        fake.machine->stop({engine::StopReason::Kind::powered_off, 0, {}});
        QTRY_VERIFY(!window.isVisible());
    }

    void offersToGoOnWhereTheHostIsFull()
    {
        FakeSession fake("guest");
        ui::MachineWindow window(*fake.session, *m_settings);
        window.show();
        fake.machine->become(engine::MachineState::paused);
        fake.machine->listener.needs_attention({"The disk cannot be written", "no space left on device", "Make room"});
        QTRY_VERIFY(window.messages().text().contains("no space left"));
        named<QPushButton>(window, "Try again")->click();
        QVERIFY(fake.machine->current == engine::MachineState::running);
    }

    void explainsACrash()
    {
        FakeSession fake("guest");
        ui::MachineWindow window(*fake.session, *m_settings);
        window.show();
        fake.session->start();
        fake.machine->stop({engine::StopReason::Kind::crashed, 0, "triple fault"});
        QTRY_VERIFY(window.messages().isVisible());
        QVERIFY(window.isVisible());
        QVERIFY(window.messages().text().contains("triple fault"));
        QVERIFY(!action(window, "Reset")->isEnabled());
        window.close();
        QVERIFY(!window.isVisible());
    }

    void savesScreenshotsAndSaysWhere()
    {
        QStandardPaths::setTestModeEnabled(true);
        FakeSession fake("shot");
        ui::MachineWindow window(*fake.session, *m_settings);
        window.show();
        window.takeScreenshot();
        QVERIFY(window.messages().text().contains("no picture"));
        fake.machine->show(32, 16, 0xffff0000);
        window.takeScreenshot();
        const QString said = window.messages().text();
        const QString path = said.mid(said.indexOf(u'/'));
        QCOMPARE(QImage(path).size(), QSize(32, 16));
        QFile::remove(path);
        QStandardPaths::setTestModeEnabled(false);
    }

    void settingsReachTheView()
    {
        FakeSession fake("guest");
        ui::MachineWindow window(*fake.session, *m_settings);
        QVERIFY(window.view().releaseHint().contains("Ctrl+Alt"));
        action(window, "Right Ctrl")->trigger();
        QVERIFY(window.view().releaseHint().contains("right Ctrl"));
        app::Settings again(m_folder->filePath("settings.ini"));
        QVERIFY(again.get(app::setting::release_key) == app::choice::ReleaseKey::rightCtrl);
    }

    void libraryShowsTheWayFirst()
    {
        app::MachineLibrary library(m_folder->path());
        ui::LibraryWindow window(library, *m_settings, "/bin/true");
        window.show();
        QVERIFY(QTest::qWaitForWindowExposed(&window));
        QVERIFY(named<QPushButton>(window, "New machine")->isVisible());
        auto* demo = named<QPushButton>(window, "Try the demo");
        QCOMPARE(demo->isEnabled(), QFileInfo::exists("/usr/lib/memtest86+/memtest86+x64.iso"));
        QVERIFY(!demo->accessibleDescription().isEmpty());
        if (!demo->isEnabled())
            return;
        demo->click();
        QCOMPARE(library.names(), QStringList{"Memory test"});
        QVERIFY(window.findChild<QListView*>()->isVisible());
    }

    void opensTheSheetForADroppedImage()
    {
        app::MachineLibrary library(m_folder->path());
        app::NewMachine made;
        made.definition.name = "one";
        made.definition.memory_mib = 64;
        QVERIFY(library.create(made));
        ui::LibraryWindow window(library, *m_settings, "/bin/true");
        window.show();
        QVERIFY(QTest::qWaitForWindowExposed(&window));
        auto* list = window.findChild<QListView*>();
        QMimeData data;
        data.setUrls({QUrl::fromLocalFile("/somewhere/a disc.iso")});
        QDragEnterEvent enter(QPoint(9, 9), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(&window, &enter);
        QVERIFY(enter.isAccepted() && !list->isVisible());    // instead of the list: “Drop a CD image here”
        QDragLeaveEvent leave;
        QCoreApplication::sendEvent(&window, &leave);
        QVERIFY(list->isVisible());
        QCoreApplication::sendEvent(&window, &enter);
        QDropEvent drop(QPoint(9, 9), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(&window, &drop);
        QVERIFY(drop.isAccepted() && list->isVisible());
        QTRY_VERIFY(window.findChild<ui::NewMachineSheet*>());
        QVERIFY(named<QLineEdit>(*window.findChild<ui::NewMachineSheet*>(), "/somewhere/a disc.iso"));
    }

    void libraryStartsMachinesAndReportsFailures()
    {
        app::MachineLibrary library(m_folder->path());
        app::NewMachine made;
        made.definition.name = "one";
        made.definition.memory_mib = 64;
        QVERIFY(library.create(made));
        const QString program = m_folder->filePath("program");
        QFile script(program);
        QVERIFY(script.open(QIODevice::WriteOnly));
        script.write(QStringLiteral("#!/bin/sh\necho \"$@\" >%1/said\necho 'paddock: It is broken.' >&2\nexit 2\n")
                         .arg(m_folder->path())
                         .toUtf8());
        script.setPermissions(QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
        script.close();
        ui::LibraryWindow window(library, *m_settings, program);
        window.show();
        action(window, "Start")->trigger();
        auto* messages = window.findChild<ui::MessageBar*>();
        QTRY_VERIFY(messages->isVisible());
        QVERIFY2(messages->text().contains("It is broken"), qPrintable(messages->text()));
        QVERIFY(!messages->text().contains("paddock:"));
        QFile said(m_folder->filePath("said"));
        QVERIFY(said.open(QIODevice::ReadOnly));
        QCOMPARE(said.readAll(), QByteArray("run one\n"));
    }

    // Which button starts the machine how.
    void libraryOffersTheNewestPointAfterAnInterruption_data()
    {
        QTest::addColumn<QString>("button");
        QTest::addColumn<QString>("options");
        QTest::newRow("go on") << "Go on from"
                               << "run one --from ID --keep\n";
        QTest::newRow("disk") << "Start from the disk as it is"
                              << "run one\n";
    }
    void libraryOffersTheNewestPointAfterAnInterruption()
    {
        QFETCH(QString, button);
        QFETCH(QString, options);
        app::MachineLibrary library(m_folder->path());
        app::NewMachine made;
        made.definition.name = "one";
        made.definition.memory_mib = 64;
        QVERIFY(library.create(made));
        const auto definition = library.find("one");
        const auto point = engine::take_snapshot_of_stopped(definition.value(), {.name = "point"});
        QVERIFY(point);
        const engine::SnapshotDirectory directory(definition.value().snapshots);
        auto present = directory.present();
        present.value().running = true;    // as a process leaves it that was killed
        QVERIFY(directory.set_present(present.value()));
        const QString program = m_folder->filePath("program");
        QFile script(program);
        QVERIFY(script.open(QIODevice::WriteOnly));
        script.write(QStringLiteral("#!/bin/sh\necho \"$@\" >%1/new\nmv %1/new %1/said\n").arg(m_folder->path()).toUtf8());
        script.setPermissions(QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
        script.close();
        ui::LibraryWindow window(library, *m_settings, program);
        window.show();
        auto* model = window.findChild<QListView*>()->model();
        QCOMPARE(model->index(0, 0).data(ui::MachineList::stateTextRole).toString(), QString("Interrupted"));
        action(window, "Start")->trigger();
        auto* question = window.findChild<QMessageBox*>();
        QVERIFY(question && question->isVisible());
        QAbstractButton* wanted = nullptr;
        for (QAbstractButton* found : question->buttons())
            if (found->text().remove(u'&').startsWith(button))
                wanted = found;
        QVERIFY(wanted);
        wanted->click();
        QFile said(m_folder->filePath("said"));
        QTRY_VERIFY(said.exists());
        QVERIFY(said.open(QIODevice::ReadOnly));
        QCOMPARE(QString(said.readAll()), options.replace("ID", QString::fromStdString(point.value().id)));
    }

    void librarySnapshotsOfAMachineThatIsOff()
    {
        app::MachineLibrary library(m_folder->path());
        app::NewMachine made;
        made.definition.name = "one";
        made.definition.memory_mib = 64;
        made.diskBytes = 16 << 20;
        QVERIFY(library.create(made));
        const QString program = m_folder->filePath("program");
        QFile script(program);
        QVERIFY(script.open(QIODevice::WriteOnly));
        script.write(QStringLiteral("#!/bin/sh\necho \"$@\" >%1/new\nmv %1/new %1/said\n").arg(m_folder->path()).toUtf8());
        script.setPermissions(QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
        script.close();
        ui::LibraryWindow window(library, *m_settings, program);
        window.show();
        QVERIFY(QTest::qWaitForWindowExposed(&window));
        action(window, "Snapshots")->trigger();
        QTRY_VERIFY(window.findChild<ui::SnapshotView*>());
        auto* view = window.findChild<ui::SnapshotView*>();
        action(window, "Take snapshot")->trigger();
        QTRY_COMPARE(view->model()->rowCount(), 2);
        QTRY_VERIFY(view->model()->index(0, 0).data(ui::SnapshotList::idRole).toString().size() == 16);
        const QString id = view->model()->index(0, 0).data(ui::SnapshotList::idRole).toString();
        view->setCurrentIndex(view->model()->index(0, 0));
        // The machine made of it shares its disks, which is said when the original is to be deleted.
        action(window, "Make a machine of it…")->trigger();
        auto* sheet = window.findChild<ui::CloneSheet*>();
        QVERIFY(sheet);
        sheet->findChild<QLineEdit*>()->setText("two");
        sheet->findChild<QCheckBox*>()->setChecked(true);
        named<QPushButton>(*sheet, "Make it")->click();
        QTRY_COMPARE(library.names(), (QStringList{"one", "two"}));
        auto* list = window.findChild<QListView*>();
        QTRY_COMPARE(list->currentIndex().data().toString(), QString("two"));
        list->setCurrentIndex(list->model()->index(0, 0));
        action(window, "Delete")->trigger();
        QVERIFY(window.findChild<ui::MessageBar*>()->text().contains("two"));
        QTRY_VERIFY(window.findChild<ui::SnapshotView*>());
        view = window.findChild<ui::SnapshotView*>();
        QTRY_COMPARE(view->model()->index(0, 0).data(ui::SnapshotList::idRole).toString(), id);
        view->setCurrentIndex(view->model()->index(0, 0));
        action(window, "Start from this")->trigger();
        QFile said(m_folder->filePath("said"));
        QTRY_VERIFY(said.exists());
        QVERIFY(said.open(QIODevice::ReadOnly));
        QCOMPARE(QString(said.readAll()), QString("run one --from %1 --keep\n").arg(id));
    }

    void libraryDeletesWithUndo()
    {
        app::MachineLibrary library(m_folder->path());
        for (const char* name : {"a", "b"}) {
            app::NewMachine made;
            made.definition.name = name;
            made.definition.memory_mib = 64;
            QVERIFY(library.create(made));
        }
        ui::LibraryWindow window(library, *m_settings, "/bin/true");
        window.show();
        action(window, "Delete")->trigger();
        QCOMPARE(library.names(), QStringList{"b"});
        named<QPushButton>(window, "Undo")->click();
        QCOMPARE(library.names(), (QStringList{"a", "b"}));
        QCOMPARE(window.findChild<QListView*>()->model()->rowCount(), 2);
    }

    void libraryShowsRunningMachines()
    {
        app::MachineLibrary library(m_folder->path());
        app::NewMachine made;
        made.definition.name = "guest";
        made.definition.memory_mib = 64;
        QVERIFY(library.create(made));
        ui::LibraryWindow window(library, *m_settings, "/bin/true");
        window.show();
        auto* model = window.findChild<QListView*>()->model();
        QCOMPARE(model->index(0, 0).data(ui::MachineList::stateTextRole).toString(), QString("Off"));
        {
            FakeSession fake("guest");
            auto server = app::ControlServer::listen(*fake.session, {});
            QVERIFY(server);
            fake.session->start();
            QTRY_COMPARE(model->index(0, 0).data(ui::MachineList::stateTextRole).toString(), QString("Running"));
            QVERIFY(!action(window, "Delete")->isEnabled());
            action(window, "Pause")->trigger();
            QTRY_VERIFY(fake.machine->current == engine::MachineState::paused);
        }
        QTRY_COMPARE(model->index(0, 0).data(ui::MachineList::stateTextRole).toString(), QString("Off"));
    }

    void libraryShowsATrialWhileItRuns()
    {
        app::MachineLibrary library(m_folder->path());
        for (const char* name : {"guest", "other"}) {
            app::NewMachine made;
            made.definition.name = name;
            made.definition.memory_mib = 64;
            QVERIFY(library.create(made));
        }
        ui::LibraryWindow window(library, *m_settings, "/bin/true");
        window.show();
        auto* list = window.findChild<QListView*>();
        const auto* model = list->model();
        QCOMPARE(model->rowCount(), 2);
        {
            const std::string called = app::trialName("guest").toStdString();
            FakeSession fake(called.c_str(), "/nowhere", true);
            auto server = app::ControlServer::listen(*fake.session, {});
            QVERIFY(server);
            fake.session->start();
            QTRY_COMPARE(model->rowCount(), 3);
            const QModelIndex trial = model->index(1, 0);
            QCOMPARE(trial.data().toString(), QString("guest (trial)"));
            QTRY_COMPARE(trial.data(ui::MachineList::stateTextRole).toString(), QString("Trial in a copy, running"));
            QCOMPARE(model->index(0, 0).data(ui::MachineList::stateTextRole).toString(), QString("Off"));
            list->setCurrentIndex(trial);
            QVERIFY(!action(window, "Start")->isEnabled() && !action(window, "Delete")->isEnabled());
            action(window, "Pause")->trigger();
            QTRY_VERIFY(fake.machine->current == engine::MachineState::paused);
        }
        QTRY_COMPARE(model->rowCount(), 2);
        QCOMPARE(model->index(1, 0).data().toString(), QString("other"));
    }

    void everythingHasAName()
    {
        FakeSession fake("guest");
        ui::MachineWindow machine(*fake.session, *m_settings);
        app::MachineLibrary library(m_folder->path());
        ui::LibraryWindow list(library, *m_settings, "/bin/true");
        for (QMainWindow* window : {static_cast<QMainWindow*>(&machine), static_cast<QMainWindow*>(&list)})
            for (const QWidget* widget : window->findChildren<QWidget*>()) {
                if (!widget->isVisibleTo(window))
                    continue;
                if (!(widget->focusPolicy() & Qt::TabFocus) || widget->objectName().startsWith("qt_"))
                    continue;
                const auto* button = qobject_cast<const QAbstractButton*>(widget);
                const bool spoken
                    = !widget->accessibleName().isEmpty() || (button && !button->text().isEmpty()) || !widget->isEnabled();
                QVERIFY2(spoken || widget->inherits("QMenuBar") || widget->inherits("QMenu"), widget->metaObject()->className());
            }
    }
};

QTEST_MAIN(WindowsTest)
#include "windows_test.moc"
