#pragma once
// The person's machines: what a start of Paddock shows. Each runs as a process of its own.

#include <QAction>
#include <QListView>
#include <QMainWindow>
#include <QPointer>
#include <QStackedWidget>

#include "app/library/machine_library.h"
#include "app/settings/settings.h"
#include "ui/library/empty_page.h"
#include "ui/library/machine_list.h"
#include "ui/message_bar.h"
#include "ui/new_machine/new_machine_sheet.h"

namespace ui {

class LibraryWindow : public QMainWindow {
    Q_OBJECT

public:
    // Both outlive the window. `program` starts a machine when called with "run" and its name; "" is this executable.
    LibraryWindow(app::MachineLibrary& library, app::Settings& settings, const QString& program = {}, QWidget* parent = nullptr);

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

    app::MachineLibrary& m_library;
    app::Settings& m_settings;
    QString m_program;
    MachineList m_machines;
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
};

}
