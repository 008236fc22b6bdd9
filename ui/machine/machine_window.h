#pragma once
// The window of one running machine: its screen, its switches, its lamps, its snapshots. Closes when the guest powers off.

#include <QActionGroup>
#include <QDockWidget>
#include <QLabel>
#include <QMainWindow>
#include <QMenu>
#include <QMessageBox>
#include <QPointer>
#include <QProgressBar>
#include <QToolButton>

#include "app/session/automatic_points.h"
#include "app/session/machine_session.h"
#include "app/session/snapshot_shelf.h"
#include "app/settings/settings.h"
#include "display/guest_view.h"
#include "ui/machine/activity_lamp.h"
#include "ui/message_bar.h"
#include "ui/snapshots/film_strip.h"
#include "ui/snapshots/snapshot_sidebar.h"

namespace ui {

class MachineWindow : public QMainWindow {
    Q_OBJECT

public:
    // Both outlive the window. The session may be running already or not yet. `openTree` is for tests.
    MachineWindow(
        app::MachineSession& session, app::Settings& settings, QWidget* parent = nullptr,
        const app::SnapshotShelf::TreeFactory& openTree = &engine::SnapshotTree::open);
    ~MachineWindow() override;    // waits until the room of deleted snapshots is free

    display::GuestView& view() { return *m_view; }
    MessageBar& messages() { return *m_messages; }

    // Writes a PNG into the person's Pictures and says where.
    void takeScreenshot();
    static QString screenshotFolder();

signals:
    void trialWanted(const QString& id);    // of this snapshot, in a process of its own
    void cloneWanted(const QString& id);

protected:
    void closeEvent(QCloseEvent* event) override;
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void addMachineMenu();
    void addMediaMenu();
    void addKeysMenu();
    void addViewMenu();
    void addSnapshots(const app::SnapshotShelf::TreeFactory& openTree);
    void addSnapshotsMenu();
    void applySnapshotSettings();
    QAction* addCommand(QMenu* menu, const QString& text, const QKeySequence& shortcut, std::function<void()> command);
    template <class T>
    void addChoices(QMenu* menu, const app::Setting<T>& setting, const std::vector<std::pair<T, QString>>& choices);
    void arrangeStatusBar();
    void applySettings();

    void showState();
    void showStopped(const engine::StopReason& reason);
    void showCapture(bool captured);
    void showDisk(unsigned drive, bool write);
    void showLeds(quint8 leds);
    void explainAccelerator();
    void growTo(QSize guest);
    void keepOnScreen();
    void toggleFullScreen();
    void sayHowToLeaveFullScreen();
    QString geometryKey() const;
    void insertDisc();
    void insertFloppy();
    void report(const engine::Result<void>& result);
    void typeClipboard();
    void askBeforeClosing();
    void askWhatBecomesOfTheTrial();
    void tryAsItIs();
    void saveAndClose();
    void savingFailed(const engine::Error& error);
    void takeSnapshot();
    void sayTaken(const QString& id, app::SnapshotShelf::Kind kind);
    void showSlowSnapshot();
    void showPanes();
    void makeRoomForPanes();

    app::MachineSession& m_session;
    app::Settings& m_settings;
    display::GuestView* m_view;
    MessageBar* m_messages;
    QAction* m_pause = nullptr;
    QAction* m_eject = nullptr;
    QAction* m_fullScreen = nullptr;
    QAction* m_capture = nullptr;
    QList<QAction*> m_switches;    // of use only while the machine is on
    QToolButton* m_accelerator = nullptr;
    QLabel* m_captureHint = nullptr;
    QLabel* m_leds = nullptr;
    ActivityLamp* m_diskLamp = nullptr;
    ActivityLamp* m_cdLamp = nullptr;
    ActivityLamp* m_floppyLamp = nullptr;
    QPointer<QMessageBox> m_question;
    QList<QSize> m_ownSizes;    // what the window chose for itself
    bool m_sized = false;    // by the person, now or in an earlier run
    bool m_over = false;
    bool m_saving = false;
    bool m_tries = false;    // the next point is to be tried in a copy

    // Where the machine can have snapshots:
    std::unique_ptr<app::SnapshotShelf> m_shelf;
    app::AutomaticPoints* m_points = nullptr;
    SnapshotSidebar* m_sidebar = nullptr;
    QDockWidget* m_dock = nullptr;
    FilmStrip* m_strip = nullptr;
    QMenu* m_snapshotsMenu = nullptr;
    QAction* m_take = nullptr;
    QAction* m_showStrip = nullptr;
    QProgressBar* m_progress = nullptr;
    QTimer m_slow;    // what takes longer than this is shown
};

template <class T>
void MachineWindow::addChoices(QMenu* menu, const app::Setting<T>& setting, const std::vector<std::pair<T, QString>>& choices)
{
    auto* group = new QActionGroup(this);
    for (const auto& [value, text] : choices) {
        QAction* action = group->addAction(text);
        action->setCheckable(true);
        action->setChecked(m_settings.get(setting) == value);
        connect(action, &QAction::triggered, this, [this, setting, value = value] { m_settings.set(setting, value); });
        menu->addAction(action);
    }
}

}
