// The machine's window and its snapshots: what is shown of them where, and closing by saving.

#include <algorithm>

#include <QMenuBar>
#include <QStatusBar>
#include <QVBoxLayout>

#include "ui/machine/machine_keys.h"
#include "ui/machine/machine_window.h"

namespace ui {

namespace {

using namespace std::chrono_literals;
using app::choice::AutomaticPoints;
using app::choice::RoomForPoints;

constexpr auto slow = 500ms;

}

MachineWindow::~MachineWindow()
{
    delete m_strip;
    delete m_dock;
    delete m_points;
}

void MachineWindow::addSnapshots(const app::SnapshotShelf::TreeFactory& openTree)
{
    m_shelf = std::make_unique<app::SnapshotShelf>(m_session, openTree);
    m_points = new app::AutomaticPoints(*m_shelf, m_session);
    addSnapshotsMenu();
    m_sidebar = new SnapshotSidebar(*m_shelf, *m_messages, m_take);
    m_dock->setWidget(m_sidebar);
    m_snapshotsMenu->insertAction(m_snapshotsMenu->actions().at(1), m_sidebar->undoAction());
    addDockWidget(Qt::RightDockWidgetArea, m_dock);
    m_dock->hide();
    m_strip = new FilmStrip(*m_shelf);
    m_strip->hide();
    centralWidget()->layout()->addWidget(m_strip);

    m_progress = new QProgressBar;
    m_progress->setRange(0, 100);
    m_progress->setMaximumWidth(120);
    m_progress->setAccessibleName(tr("Snapshot being written"));
    m_progress->hide();
    statusBar()->addPermanentWidget(m_progress);
    auto* button = new QToolButton;
    button->setAutoRaise(true);
    button->setDefaultAction(m_dock->toggleViewAction());
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    statusBar()->addPermanentWidget(button);
    if (m_session.isTrial())
        m_messages->say(
            MessageBar::Tone::information,
            tr("This is a trial in a copy: the machine itself stays as it is. At the end you choose what becomes of it."));
    m_slow.setSingleShot(true);
    m_slow.callOnTimeout(this, &MachineWindow::showSlowSnapshot);

    m_sidebar->setTrialsOffered(!m_session.isTrial());
    connect(m_sidebar, &SnapshotSidebar::trialWanted, this, &MachineWindow::trialWanted);
    connect(m_sidebar, &SnapshotSidebar::cloneWanted, this, &MachineWindow::cloneWanted);
    connect(m_sidebar, &SnapshotSidebar::left, m_view, qOverload<>(&QWidget::setFocus));
    connect(m_strip, &FilmStrip::wanted, m_sidebar, &SnapshotSidebar::goBack);
    connect(m_strip, &FilmStrip::left, m_view, qOverload<>(&QWidget::setFocus));
    connect(m_dock, &QDockWidget::visibilityChanged, this, &MachineWindow::makeRoomForPanes, Qt::QueuedConnection);
    connect(m_shelf.get(), &app::SnapshotShelf::changed, this, &MachineWindow::showPanes);
    connect(m_shelf.get(), &app::SnapshotShelf::taken, this, &MachineWindow::sayTaken);
    connect(m_shelf.get(), &app::SnapshotShelf::savingFailed, this, &MachineWindow::savingFailed);
    connect(m_shelf.get(), &app::SnapshotShelf::progress, this, [this](double part) { m_progress->setValue(int(part * 100)); });
    connect(m_shelf.get(), &app::SnapshotShelf::idle, this, [this] {
        m_slow.stop();
        m_progress->hide();
    });
}

void MachineWindow::addSnapshotsMenu()
{
    QMenu* menu = m_snapshotsMenu = menuBar()->addMenu(tr("&Snapshots"));
    m_take = addCommand(menu, tr("&Take snapshot"), take_keys, [this] { takeSnapshot(); });
    m_take->setIcon(QIcon::fromTheme(QStringLiteral("camera-photo"), QIcon(QStringLiteral(":/icons/camera-photo-symbolic.svg"))));
    if (!m_session.isTrial())
        m_switches << addCommand(menu, tr("Try in a &copy"), {}, [this] { tryAsItIs(); });
    menu->addSeparator();
    m_dock = new QDockWidget(tr("Snapshots"), this);
    m_dock->setObjectName(QStringLiteral("snapshots"));
    m_dock->setFeatures(QDockWidget::DockWidgetClosable | QDockWidget::DockWidgetMovable);
    m_dock->setAllowedAreas(Qt::LeftDockWidgetArea | Qt::RightDockWidgetArea);
    QAction* list = m_dock->toggleViewAction();
    list->setText(tr("&Snapshots"));
    list->setIcon(
        QIcon::fromTheme(QStringLiteral("view-list-tree"), QIcon(QStringLiteral(":/icons/view-list-tree-symbolic.svg"))));
    list->setShortcut(list_keys);
    list->setToolTip(tr("Shows the machine's snapshots at the side (%1)").arg(list_keys.toString(QKeySequence::NativeText)));
    addAction(list);
    menu->addAction(list);
    m_showStrip = addCommand(menu, tr("&Film strip"), {}, [this] {
        m_settings.set(
            app::setting::film_strip, m_showStrip->isChecked() ? app::choice::FilmStrip::shown : app::choice::FilmStrip::hidden);
    });
    m_showStrip->setCheckable(true);
    menu->addSeparator();
    addChoices(
        menu->addMenu(tr("&Automatic points")), app::setting::automatic_points,
        {{AutomaticPoints::off, tr("&Off")},
         {AutomaticPoints::everyMinute, tr("Every &minute")},
         {AutomaticPoints::every5Minutes, tr("Every &5 minutes")},
         {AutomaticPoints::every15Minutes, tr("Every &15 minutes")},
         {AutomaticPoints::everyHour, tr("Every &hour")}});
    addChoices(
        menu->addMenu(tr("&Room for them")), app::setting::room_for_points,
        {{RoomForPoints::gib1, tr("&1 GiB")},
         {RoomForPoints::gib4, tr("&4 GiB")},
         {RoomForPoints::gib16, tr("1&6 GiB")},
         {RoomForPoints::gib64, tr("64 &GiB")}});
}

void MachineWindow::applySnapshotSettings()
{
    if (!m_shelf)
        return;
    m_points->follow(m_settings);
    m_showStrip->setChecked(m_settings.get(app::setting::film_strip) == app::choice::FilmStrip::shown);
    showPanes();
}

// The film strip is there as soon as there may be points on it.
void MachineWindow::showPanes()
{
    if (!m_strip)
        return;
    const bool any = std::ranges::any_of(m_shelf->all(), [](const engine::SnapshotInfo& snapshot) {
        return snapshot.kind == app::SnapshotShelf::Kind::automatic;
    });
    const bool points = any || m_settings.get(app::setting::automatic_points) != AutomaticPoints::off;
    const bool shown = points && m_showStrip->isChecked() && !isFullScreen();
    const engine::MachineState state = m_session.state();
    const bool on = !m_over && (state == engine::MachineState::running || state == engine::MachineState::paused);
    m_take->setEnabled(on && !m_shelf->isTaking());
    m_sidebar->setMachineOn(on);
    if (shown == m_strip->isVisibleTo(this))
        return;
    m_strip->setVisible(shown);
    QMetaObject::invokeMethod(this, &MachineWindow::makeRoomForPanes, Qt::QueuedConnection);
}

// The guest's screen keeps its size where the window chose it.
void MachineWindow::makeRoomForPanes()
{
    if (const auto frame = m_session.frame())
        growTo(QSize(int(frame->width), int(frame->height)));
}

void MachineWindow::takeSnapshot()
{
    if (m_shelf->isTaking())
        return;
    m_shelf->take(app::SnapshotShelf::Kind::manual);
    m_slow.start(slow);
    if (m_dock->isVisible())
        m_sidebar->nameNewOne();
}

// A copy begins with a snapshot, so one is taken, in passing.
void MachineWindow::tryAsItIs()
{
    m_tries = true;
    m_shelf->take(app::SnapshotShelf::Kind::automatic, {}, tr("Where a trial began"));
}

void MachineWindow::sayTaken(const QString& id, app::SnapshotShelf::Kind kind)
{
    if (kind == app::SnapshotShelf::Kind::automatic && std::exchange(m_tries, false))
        emit trialWanted(id);
    if (kind != app::SnapshotShelf::Kind::manual)
        return;
    const double rest = double(m_session.stats().last_rest_nanoseconds) / 1e6;
    const QString text = tr("Snapshot taken. The machine stood still for %L1 ms.").arg(rest, 0, 'f', 1);
    if (m_dock->isVisible())
        return m_messages->say(MessageBar::Tone::information, text);
    m_messages->say(MessageBar::Tone::information, text, tr("&Name it"), [this, id] {
        m_dock->show();
        m_sidebar->rename(id);
    });
}

// The next start goes on where the machine is now. What prevents it is said, and then the person is asked.
void MachineWindow::saveAndClose()
{
    if (std::exchange(m_saving, true))
        return;
    m_view->releaseKeys();
    m_shelf->saveAndStop();
    m_slow.start(slow);
}

void MachineWindow::savingFailed(const engine::Error& error)
{
    m_saving = false;
    m_messages->say(error);
    askBeforeClosing();
}

void MachineWindow::showSlowSnapshot()
{
    m_progress->show();
    if (m_saving)
        m_messages->say(MessageBar::Tone::information, tr("The machine is being saved; then this window closes."));
}

}
