// The snapshots of machines that are off, at the side of the library.

#include <QMenuBar>
#include <QToolBar>

#include "ui/library/library_window.h"
#include "ui/snapshots/clone_sheet.h"

namespace ui {

namespace {
constexpr std::chrono::seconds upkeep_after_a_move{30};
}

LibraryWindow::~LibraryWindow()
{
    // It tells of its end, when there is nobody left to hear it.
    m_dock->disconnect(this);
    delete m_dock;
}

void LibraryWindow::addSnapshots()
{
    m_dock = new QDockWidget(tr("Snapshots"), this);
    m_dock->setObjectName(QStringLiteral("snapshots"));
    m_dock->setFeatures(QDockWidget::DockWidgetClosable | QDockWidget::DockWidgetMovable);
    m_dock->setAllowedAreas(Qt::LeftDockWidgetArea | Qt::RightDockWidgetArea);
    m_noSnapshots = new QLabel;
    m_noSnapshots->setWordWrap(true);
    m_noSnapshots->setAlignment(Qt::AlignCenter);
    m_noSnapshots->setTextFormat(Qt::PlainText);
    m_noSnapshots->setMargin(12);
    auto* pages = new QStackedWidget;
    pages->addWidget(m_noSnapshots);
    m_dock->setWidget(pages);
    addDockWidget(Qt::RightDockWidgetArea, m_dock);
    m_dock->hide();

    m_take = new QAction(tr("&Take snapshot"), this);
    m_take->setIcon(QIcon::fromTheme(QStringLiteral("camera-photo"), QIcon(QStringLiteral(":/icons/camera-photo-symbolic.svg"))));
    m_take->setToolTip(tr("Keeps the disks of the machine, which is off, as they are now"));
    connect(m_take, &QAction::triggered, this, [this] {
        const auto shelf = m_shelves.find(m_snapshotsOf);
        if (!m_sidebar || shelf == m_shelves.end() || shelf->second->isTaking())
            return;
        shelf->second->take(app::SnapshotShelf::Kind::manual);
        m_sidebar->nameNewOne();
    });
    QAction* shown = m_dock->toggleViewAction();
    shown->setText(tr("&Snapshots"));
    shown->setIcon(
        QIcon::fromTheme(QStringLiteral("view-list-tree"), QIcon(QStringLiteral(":/icons/view-list-tree-symbolic.svg"))));
    menuBar()->addMenu(tr("&View"))->addAction(shown);
    auto* bar = findChild<QToolBar*>(QStringLiteral("machines"));
    bar->addSeparator();
    bar->addAction(shown);
    connect(m_dock, &QDockWidget::visibilityChanged, this, &LibraryWindow::showSnapshots);
}

void LibraryWindow::showSnapshots()
{
    if (!m_dock)
        return;
    const QString name = current();
    const bool on = !m_list->currentIndex().data(MachineList::stateRole).toString().isEmpty();
    m_noSnapshots->setText(
        name.isEmpty() ? tr("There are no machines yet.")
                       : tr("“%1” is on. Its snapshots are at the side of its own window.").arg(name));
    showSnapshotsOf(m_dock->isVisible() && !on ? name : QString());
}

// The folder is about to go or to be called otherwise.
void LibraryWindow::letGoOfSnapshots(const QString& name)
{
    if (m_snapshotsOf == name)
        showSnapshotsOf({});
    m_shelves.erase(name);
    m_upkeep.giveUp();
    m_upkeep.look(m_library.names(), upkeep_after_a_move);
}

void LibraryWindow::showSnapshotsOf(const QString& name)
{
    if (name == m_snapshotsOf)
        return;
    m_snapshotsOf = name;
    delete m_sidebar;
    const auto definition = m_library.find(name);
    if (name.isEmpty() || !definition)
        return;
    auto& shelf = m_shelves[name];
    if (!shelf)
        shelf = std::make_unique<app::SnapshotShelf>(definition.value());
    shelf->refresh();
    m_sidebar = new SnapshotSidebar(*shelf, *m_messages, m_take);
    m_sidebar->offerStarts();
    connect(m_sidebar, &SnapshotSidebar::left, m_list, qOverload<>(&QWidget::setFocus));
    connect(m_sidebar, &SnapshotSidebar::startWanted, this, [this, name](const QString& id) {
        startWith(name, {QStringLiteral("--from"), id, QStringLiteral("--keep")});
    });
    connect(m_sidebar, &SnapshotSidebar::trialWanted, this, [this, name](const QString& id) {
        startWith(name, {QStringLiteral("--try"), QStringLiteral("--from"), id});
    });
    connect(m_sidebar, &SnapshotSidebar::cloneWanted, this, [this, name](const QString& id) {
        offerClone(m_library, name, id, *m_messages, this, [this](const QString& made) {
            m_machines.refresh();
            m_list->setCurrentIndex(m_machines.indexOf(made));
        });
    });
    auto* pages = static_cast<QStackedWidget*>(m_dock->widget());
    pages->setCurrentIndex(pages->addWidget(m_sidebar));
}

}
