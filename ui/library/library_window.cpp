#include "ui/library/library_window.h"

#include <QCloseEvent>
#include <QCoreApplication>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QInputDialog>
#include <QMenuBar>
#include <QMessageBox>
#include <QMimeData>
#include <QToolBar>
#include <QVBoxLayout>

#include "app/library/medium.h"
#include "ui/image_folder.h"
#include "ui/library/machine_process.h"
#include "ui/library/machine_tile.h"
#include "ui/snapshots/words.h"

namespace ui {

namespace {

// Nobody waits for it, and whoever opens the library or closes a machine may be about to start one.
constexpr std::chrono::seconds upkeep_after_opening{30}, upkeep_after_an_end{5};

const QString geometry_key = QStringLiteral("library"), panes_key = QStringLiteral("library-panes");

QString droppedFile(const QMimeData* data)
{
    for (const QUrl& url : data->urls())
        if (url.isLocalFile())
            return url.toLocalFile();
    return {};
}

}

LibraryWindow::LibraryWindow(app::MachineLibrary& library, app::Settings& settings, const QString& program, QWidget* parent)
    : QMainWindow(parent),
      m_library(library),
      m_settings(settings),
      m_program(program.isEmpty() ? QCoreApplication::applicationFilePath() : program),
      m_machines(library),
      m_upkeep([&library](const QString& name) { return library.find(name); }),
      m_pages(new QStackedWidget),
      m_empty(new EmptyPage),
      m_list(new QListView),
      m_messages(new MessageBar)
{
    setWindowTitle(tr("Paddock"));
    setAcceptDrops(true);
    m_list->setModel(&m_machines);
    m_list->setItemDelegate(new MachineTile(m_list));
    m_list->setAccessibleName(tr("Machines"));
    m_list->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_list->setContextMenuPolicy(Qt::ActionsContextMenu);
    m_list->setUniformItemSizes(true);
    m_pages->addWidget(m_empty);
    m_pages->addWidget(m_list);
    auto* page = new QWidget;
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(0, 0, 0, 0);
    column->addWidget(m_messages);
    column->addWidget(m_pages, 1);
    setCentralWidget(page);
    addActions();
    addSnapshots();

    connect(m_empty, &EmptyPage::newMachineRequested, this, &LibraryWindow::newMachine);
    connect(m_empty, &EmptyPage::openImageRequested, this, &LibraryWindow::openImage);
    connect(m_empty, &EmptyPage::demoRequested, this, &LibraryWindow::startDemo);
    connect(m_list, &QListView::activated, this, &LibraryWindow::startCurrent);
    connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this, &LibraryWindow::showWhatIsThere);
    for (const auto signal : {&MachineList::rowsInserted, &MachineList::rowsRemoved})
        connect(&m_machines, signal, this, &LibraryWindow::showWhatIsThere);
    connect(&m_machines, &MachineList::dataChanged, this, &LibraryWindow::showWhatIsThere);
    connect(&m_machines, &MachineList::failed, this, [this](const engine::Error& error) { m_messages->say(error); });

    connect(&m_machines, &MachineList::ended, this, [this](const QString& name) { m_upkeep.look({name}, upkeep_after_an_end); });
    m_upkeep.look(m_library.names(), upkeep_after_opening);

    m_library.emptyTrash();
    if (!restoreGeometry(settings.windowGeometry(geometry_key)))
        resize(720, 520);
    restoreState(settings.windowGeometry(panes_key));
    showWhatIsThere();
}

QAction*
LibraryWindow::addCommand(const QString& text, const char* icon, const QKeySequence& shortcut, void (LibraryWindow::*command)())
{
    auto* action = new QAction(text, this);
    const QLatin1String name(icon);
    if (!name.isEmpty())
        action->setIcon(QIcon::fromTheme(name, QIcon(QStringLiteral(":/icons/%1-symbolic.svg").arg(name))));
    action->setShortcut(shortcut);
    connect(action, &QAction::triggered, this, command);
    return action;
}

void LibraryWindow::addActions()
{
    QAction* create = addCommand(tr("&New machine"), "list-add", QKeySequence::New, &LibraryWindow::newMachine);
    QAction* open = addCommand(tr("&Open image…"), "document-open", QKeySequence::Open, &LibraryWindow::openImage);
    QAction* demo = addCommand(tr("Start the &demo"), "", {}, &LibraryWindow::startDemo);
    m_start = addCommand(tr("&Start"), "media-playback-start", {}, &LibraryWindow::startCurrent);
    m_pause = addCommand(tr("&Pause"), "media-playback-pause", {}, &LibraryWindow::pauseCurrent);
    m_stop = addCommand(tr("S&hut down"), "system-shutdown", {}, &LibraryWindow::stopCurrent);
    m_force = addCommand(tr("Power o&ff…"), "process-stop", {}, &LibraryWindow::forceCurrent);
    m_try = addCommand(tr("&Try in a copy"), "", {}, &LibraryWindow::tryCurrent);
    m_rename = addCommand(tr("&Rename…"), "", QKeySequence(Qt::Key_F2), &LibraryWindow::renameCurrent);
    m_delete = addCommand(tr("De&lete"), "edit-delete", QKeySequence::Delete, &LibraryWindow::deleteCurrent);
    const QList<QAction*> onMachine{m_start, m_try, m_pause, m_stop, m_force, m_rename, m_delete};

    QMenu* paddock = menuBar()->addMenu(tr("&Paddock"));
    paddock->addActions({create, open, demo});
    paddock->addSeparator();
    QAction* quit = paddock->addAction(tr("&Quit"), this, &QWidget::close);
    quit->setShortcut(QKeySequence::Quit);
    menuBar()->addMenu(tr("&Machine"))->addActions(onMachine);
    m_list->addActions(onMachine);

    QToolBar* bar = addToolBar(tr("Machines"));
    bar->setObjectName(QStringLiteral("machines"));
    bar->setMovable(false);
    bar->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    bar->addActions({create, m_start, m_pause, m_stop, m_delete});
}

QString LibraryWindow::current() const
{
    return m_machines.nameAt(m_list->currentIndex());
}

void LibraryWindow::showWhatIsThere()
{
    const bool any = m_machines.rowCount() > 0;
    if (any && !m_list->currentIndex().isValid())
        m_list->setCurrentIndex(m_machines.index(0));
    m_pages->setCurrentWidget(any ? static_cast<QWidget*>(m_list) : m_empty);

    const QString state = m_list->currentIndex().data(MachineList::stateRole).toString();
    const bool chosen = any && !current().isEmpty(), on = chosen && !state.isEmpty();
    const bool off = chosen && !on && !m_list->currentIndex().data(MachineList::trialRole).toBool();
    const bool paused = state == QLatin1String("paused");
    m_start->setEnabled(off);
    m_pause->setEnabled(on);
    m_pause->setText(paused ? tr("&Continue") : tr("&Pause"));
    m_stop->setEnabled(on);
    m_force->setEnabled(on);
    m_rename->setEnabled(off);
    m_delete->setEnabled(off);
    m_try->setEnabled(off);
    showSnapshots();
}

void LibraryWindow::offerFile(const QString& path)
{
    if (m_sheet) {
        if (!path.isEmpty())
            m_sheet->setImage(path);
        m_sheet->activateWindow();
        return;
    }
    m_sheet = new NewMachineSheet(m_library, path, this);
    m_sheet->setAttribute(Qt::WA_DeleteOnClose);
    connect(m_sheet, &NewMachineSheet::created, this, [this](const QString& name) {
        m_machines.refresh();
        m_list->setCurrentIndex(m_machines.indexOf(name));
        start(name);
    });
    m_sheet->open();
}

void LibraryWindow::openImage()
{
    const QString path = QFileDialog::getOpenFileName(
        this, tr("Open an image"), imageFolder(),
        tr("CD and disk images, exported machines (*.iso *.img *.raw *.qcow2 *.flp *.ima *.ova *.ovf);;All files (*)"));
    if (!path.isEmpty())
        offerFile(path);
}

void LibraryWindow::startDemo()
{
    const app::Demo demo = app::findDemo();
    if (!demo.machine)
        return m_messages->say(app::problem(
            tr("The demo cannot start"), tr("the package %1 is not installed").arg(demo.package),
            tr("Install it with: sudo apt install %1").arg(demo.package)));
    const QString name = QString::fromStdString(demo.machine->definition.name);
    if (!m_library.contains(name))
        if (const auto made = m_library.create(*demo.machine); !made)
            return m_messages->say(made.error());
    m_machines.refresh();
    m_list->setCurrentIndex(m_machines.indexOf(name));
    if (!m_machines.isRunning(name))
        start(name);
}

void LibraryWindow::startCurrent()
{
    if (m_start->isEnabled() && !m_machines.isRunning(current()))
        start(current());
}

void LibraryWindow::start(const QString& name)
{
    const auto newest = m_library.newestAfterInterruption(name);
    newest ? offerNewestPoint(name, *newest) : startWith(name, {});
}

void LibraryWindow::startWith(const QString& name, const QStringList& options)
{
    startMachineProcess(m_program, name, options, this, [this](const engine::Error& error) { m_messages->say(error); });
}

// Its process ended without stopping the machine.
void LibraryWindow::offerNewestPoint(const QString& name, const engine::SnapshotInfo& newest)
{
    auto* question = new QMessageBox(
        QMessageBox::Question, tr("Start"), tr("“%1” was interrupted last time.").arg(name), QMessageBox::Cancel, this);
    question->setAttribute(Qt::WA_DeleteOnClose);
    question->setInformativeText(
        tr("Its newest snapshot can be gone on from; what the disk holds now is then kept as a snapshot of its own. Or the "
           "machine is powered on with its disk as it is, as after a power cut."));
    QPushButton* goOn = question->addButton(tr("&Go on from %1").arg(momentInWords(timeOf(newest))), QMessageBox::AcceptRole);
    QPushButton* disk = question->addButton(tr("Start from the &disk as it is"), QMessageBox::ActionRole);
    question->setDefaultButton(goOn);
    const QString id = QString::fromStdString(newest.id);
    connect(goOn, &QPushButton::clicked, this, [this, name, id] {
        startWith(name, {QStringLiteral("--from"), id, QStringLiteral("--keep")});
    });
    connect(disk, &QPushButton::clicked, this, [this, name] { startWith(name, {}); });
    question->open();
}

void LibraryWindow::pauseCurrent()
{
    const bool paused = m_list->currentIndex().data(MachineList::stateRole).toString() == QLatin1String("paused");
    m_machines.send(current(), paused ? QStringLiteral("resume") : QStringLiteral("pause"));
}

void LibraryWindow::stopCurrent()
{
    m_machines.send(current(), QStringLiteral("stop"));
    m_messages->say(
        MessageBar::Tone::information,
        tr("“%1” has been asked to shut down. Whether and when is up to the guest.").arg(current()));
}

void LibraryWindow::forceCurrent()
{
    const QString name = current();
    auto* question
        = new QMessageBox(QMessageBox::Warning, tr("Power off"), tr("Power off “%1”?").arg(name), QMessageBox::Cancel, this);
    question->setAttribute(Qt::WA_DeleteOnClose);
    question->setInformativeText(tr("Everything in its memory is lost, and what the guest has not yet written to its disk."));
    QPushButton* off = question->addButton(tr("&Power off"), QMessageBox::DestructiveRole);
    question->setDefaultButton(QMessageBox::Cancel);
    connect(off, &QPushButton::clicked, this, [this, name] { m_machines.send(name, QStringLiteral("stop"), {{"force", true}}); });
    question->open();
}

void LibraryWindow::renameCurrent()
{
    const QString name = current();
    if (name.isEmpty())
        return;
    auto* question = new QInputDialog(this);
    question->setAttribute(Qt::WA_DeleteOnClose);
    question->setWindowTitle(tr("Rename"));
    question->setLabelText(tr("New name of “%1”:").arg(name));
    question->setTextValue(name);
    connect(question, &QInputDialog::textValueSelected, this, [this, name](const QString& wish) {
        letGoOfSnapshots(name);
        const auto renamed = m_library.rename(name, wish.trimmed());
        showSnapshots();
        if (!renamed)
            return m_messages->say(renamed.error());
        m_machines.refresh();
        m_list->setCurrentIndex(m_machines.indexOf(wish.trimmed()));
    });
    question->open();
}

void LibraryWindow::deleteCurrent()
{
    const QString name = current();
    if (m_machines.isRunning(name))
        return m_messages->say(
            app::problem(tr("“%1” cannot be deleted").arg(name), tr("it is running"), tr("Power it off first")));
    letGoOfSnapshots(name);
    const auto ticket = m_library.discard(name);
    showSnapshots();
    if (!ticket)
        return m_messages->say(ticket.error());
    m_machines.refresh();
    m_messages->say(
        MessageBar::Tone::information, tr("“%1” is in the trash and will be kept there for a week.").arg(name), tr("&Undo"),
        [this, ticket = ticket.value()] {
            const auto restored = m_library.restore(ticket);
            if (!restored)
                return m_messages->say(restored.error());
            m_machines.refresh();
            m_list->setCurrentIndex(m_machines.indexOf(restored.value()));
        });
}

void LibraryWindow::closeEvent(QCloseEvent* event)
{
    m_settings.setWindowGeometry(geometry_key, saveGeometry());
    m_settings.setWindowGeometry(panes_key, saveState());
    QMainWindow::closeEvent(event);
}

void LibraryWindow::dragEnterEvent(QDragEnterEvent* event)
{
    if (droppedFile(event->mimeData()).isEmpty())
        return;
    // Whatever was shown: this page says what the drop will do.
    m_pages->setCurrentWidget(m_empty);
    m_empty->setDropHover(true);
    event->acceptProposedAction();
}

void LibraryWindow::dragLeaveEvent(QDragLeaveEvent*)
{
    m_empty->setDropHover(false);
    showWhatIsThere();
}

void LibraryWindow::dropEvent(QDropEvent* event)
{
    m_empty->setDropHover(false);
    showWhatIsThere();
    event->acceptProposedAction();
    // The sheet opens once the drop is over: the program that drags waits until then, and windows opened within are misplaced.
    QMetaObject::invokeMethod(
        this, [this, path = droppedFile(event->mimeData())] { offerFile(path); }, Qt::QueuedConnection);
}

}
