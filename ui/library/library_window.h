#pragma once
// The person's machines: what a start of Paddock shows. Each runs as a process of its own.

#include <map>

#include <QAction>
#include <QDockWidget>
#include <QListView>
#include <QMainWindow>
#include <QPointer>
#include <QStackedWidget>

#include "app/library/machine_library.h"
#include "app/session/layer_upkeep.h"
#include "app/settings/settings.h"
#include "ui/library/empty_page.h"
#include "ui/library/machine_list.h"
#include "ui/message_bar.h"
#include "ui/new_machine/new_machine_sheet.h"
#include "ui/snapshots/snapshot_sidebar.h"

namespace ui {

class LibraryWindow : public QMainWindow {
    Q_OBJECT

public:
    // Both outlive the window. `program` starts a machine when called with "run" and its name; "" is this executable.
    LibraryWindow(app::MachineLibrary& library, app::Settings& settings, const QString& program = {}, QWidget* parent = nullptr);
    ~LibraryWindow() override;

    // Opens the new-machine sheet with this image in it; "" for none.
    void offerFile(const QString& path);
    // Starts the demo machine, made now if need be.
    void startDemo();

protected:
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dragLeaveEvent(QDragLeaveEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    void addActions();
    QAction* addCommand(const QString& text, const char* icon, const QKeySequence& shortcut, void (LibraryWindow::*command)());
    QString current() const;
    void showWhatIsThere();

    void newMachine() { offerFile({}); }
    void openImage();
    void startCurrent();
    void start(const QString& name);
    void startWith(const QString& name, const QStringList& options);
    void offerNewestPoint(const QString& name, const engine::SnapshotInfo& newest);
    void pauseCurrent();
    void stopCurrent();
    void forceCurrent();
    void renameCurrent();
    void deleteCurrent();
    void tryCurrent() { startWith(current(), {QStringLiteral("--try")}); }
    void addSnapshots();
    void showSnapshots();
    void showSnapshotsOf(const QString& name);
    void letGoOfSnapshots(const QString& name);

    app::MachineLibrary& m_library;
    app::Settings& m_settings;
    QString m_program;
    MachineList m_machines;
    app::LayerUpkeep m_upkeep;
    QStackedWidget* m_pages;
    EmptyPage* m_empty;
    QListView* m_list;
    MessageBar* m_messages;
    QPointer<NewMachineSheet> m_sheet;
    QAction* m_start = nullptr;
    QAction* m_pause = nullptr;
    QAction* m_stop = nullptr;
    QAction* m_force = nullptr;
    QAction* m_rename = nullptr;
    QAction* m_delete = nullptr;
    QAction* m_try = nullptr;

    // Of the machine that is chosen, where it is off. A shelf lives as long as the window, so that deletions can be undone.
    QDockWidget* m_dock = nullptr;
    QLabel* m_noSnapshots = nullptr;
    QPointer<SnapshotSidebar> m_sidebar;
    QAction* m_take = nullptr;
    QString m_snapshotsOf;
    std::map<QString, std::unique_ptr<app::SnapshotShelf>> m_shelves;
};

}
