#include "ui/snapshots/snapshot_sidebar.h"

#include <numeric>

#include <QHBoxLayout>
#include <QInputDialog>
#include <QLabel>
#include <QVBoxLayout>

#include "app/library/problem.h"
#include "ui/snapshots/snapshot_view.h"
#include "ui/snapshots/words.h"

namespace ui {

SnapshotSidebar::SnapshotSidebar(app::SnapshotShelf& shelf, MessageBar& messages, QAction* take, QWidget* parent)
    : QWidget(parent),
      m_shelf(shelf),
      m_messages(messages),
      m_list(shelf),
      m_pages(new QStackedWidget),
      m_view(new SnapshotView(m_list)),
      m_sum(new QLabel),
      m_undoButton(new QToolButton)
{
    auto* full = new QWidget;
    auto* column = new QVBoxLayout(full);
    column->setContentsMargins(0, 0, 0, 0);
    auto* button = new QToolButton;
    button->setDefaultAction(take);
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    m_sum->setTextInteractionFlags(Qt::NoTextInteraction);
    auto* row = new QHBoxLayout;
    row->setContentsMargins(6, 6, 6, 0);
    row->addWidget(button);
    row->addStretch(1);
    row->addWidget(m_sum);
    column->addLayout(row);
    column->addWidget(m_view, 1);
    m_pages->addWidget(full);
    m_pages->addWidget(makeEmptyPage(take));
    auto* all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->addWidget(m_pages, 1);
    addActions();
    m_undoButton->setDefaultAction(m_undo);
    m_undoButton->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    m_undoButton->setAutoRaise(true);
    m_undoButton->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
    m_undoButton->hide();
    all->addWidget(m_undoButton);
    setMinimumWidth(260);

    connect(m_view, &SnapshotView::wanted, this, [this](const QModelIndex& index) { goBack(m_list.idAt(index)); });
    connect(m_view, &SnapshotView::left, this, &SnapshotSidebar::left);
    connect(m_view, &SnapshotView::edited, this, [this] {
        if (std::exchange(m_naming, false))
            emit left();
    });
    connect(m_view, &SnapshotView::editedAndMovedOn, this, [this] { m_naming = false; });
    connect(m_view->selectionModel(), &QItemSelectionModel::currentChanged, this, &SnapshotSidebar::showWhatIsThere);
    connect(&shelf, &app::SnapshotShelf::changed, this, &SnapshotSidebar::showWhatIsThere);
    connect(&shelf, &app::SnapshotShelf::wentBack, this, &SnapshotSidebar::sayWentBack);
    connect(&shelf, &app::SnapshotShelf::goingBackFailed, this, &SnapshotSidebar::sayGoingBackFailed);
    connect(&shelf, &app::SnapshotShelf::takingFailed, &messages, qOverload<const engine::Error&>(&MessageBar::say));
    connect(&shelf, &app::SnapshotShelf::changeFailed, &messages, qOverload<const engine::Error&>(&MessageBar::say));
    showWhatIsThere();
}

QAction* SnapshotSidebar::addCommand(const QString& text, const QKeySequence& shortcut, void (SnapshotSidebar::*command)())
{
    auto* action = new QAction(text, this);
    action->setShortcut(shortcut);
    // The guest has keys of its own.
    action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
    connect(action, &QAction::triggered, this, command);
    m_view->addAction(action);
    return action;
}

void SnapshotSidebar::addActions()
{
    m_goBack = addCommand(tr("&Go back to this"), {}, &SnapshotSidebar::goBackToChosen);
    m_try = addCommand(tr("&Try in a copy"), {}, &SnapshotSidebar::tryChosen);
    m_clone = addCommand(tr("Make a machine &of it…"), {}, &SnapshotSidebar::cloneChosen);
    m_rename = addCommand(tr("&Rename"), QKeySequence(Qt::Key_F2), &SnapshotSidebar::renameChosen);
    m_note = addCommand(tr("&Note…"), {}, &SnapshotSidebar::noteChosen);
    m_delete = addCommand(tr("&Delete"), QKeySequence::Delete, &SnapshotSidebar::deleteChosen);
    m_undo = addCommand(tr("&Undo deletion"), QKeySequence::Undo, &SnapshotSidebar::undoDelete);
    m_undo->setIcon(QIcon::fromTheme(QStringLiteral("edit-undo"), QIcon(QStringLiteral(":/icons/edit-undo-symbolic.svg"))));
}

QWidget* SnapshotSidebar::makeEmptyPage(QAction* take)
{
    auto* page = new QWidget;
    auto* column = new QVBoxLayout(page);
    auto* text
        = new QLabel(tr("A snapshot keeps the whole machine as it is at this moment, so that you can come back to it. It is "
                        "taken in a blink, and the machine goes on."));
    text->setWordWrap(true);
    text->setAlignment(Qt::AlignCenter);
    auto* button = new QToolButton;
    button->setDefaultAction(take);
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    column->addStretch(1);
    column->addWidget(text);
    column->addWidget(button, 0, Qt::AlignCenter);
    column->addStretch(2);
    return page;
}

QString SnapshotSidebar::chosen() const
{
    return m_list.idAt(m_view->currentIndex());
}

void SnapshotSidebar::setMachineOn(bool on)
{
    m_on = on;
    showWhatIsThere();
}

void SnapshotSidebar::offerStarts()
{
    m_starts = true;
    m_goBack->setText(tr("&Start from this"));
}

void SnapshotSidebar::setTrialsOffered(bool offered)
{
    m_try->setVisible(offered);
}

void SnapshotSidebar::showWhatIsThere()
{
    m_pages->setCurrentIndex(m_list.rowCount() > 0 || !m_shelf.isRead() ? 0 : 1);
    const auto& all = m_shelf.all();
    const auto bytes = std::accumulate(
        all.begin(), all.end(), quint64(0), [](quint64 sum, const auto& snapshot) { return sum + snapshot.own_bytes; });
    m_sum->setText(all.empty() ? QString() : sizeInWords(bytes));
    m_sum->setToolTip(tr("What all snapshots take up, without the machine's disks"));
    const auto* const snapshot = m_shelf.find(chosen());
    m_goBack->setEnabled(snapshot && m_on && snapshot->trouble.empty());
    m_try->setEnabled(snapshot && snapshot->trouble.empty());
    m_clone->setEnabled(snapshot && snapshot->trouble.empty());
    m_rename->setEnabled(snapshot && snapshot->trouble.empty());
    m_note->setEnabled(snapshot && snapshot->trouble.empty());
    m_delete->setEnabled(snapshot);
    m_undo->setEnabled(m_shelf.canUndoRemove());
    m_undoButton->setVisible(m_shelf.canUndoRemove());
    m_undo->setText(
        m_shelf.canUndoRemove() ? tr("&Undo deletion of “%1”").arg(titleOf(m_shelf.lastRemoved())) : tr("&Undo deletion"));
}

void SnapshotSidebar::startRenaming(const QModelIndex& index)
{
    if (!index.isValid())
        return;
    m_view->setCurrentIndex(index);
    m_view->scrollTo(index);
    m_view->setFocus();
    m_view->edit(index);
}

void SnapshotSidebar::nameNewOne()
{
    m_naming = true;
    startRenaming(m_list.indexOf(pending_id));
}

void SnapshotSidebar::rename(const QString& id)
{
    startRenaming(m_list.indexOf(id));
}

void SnapshotSidebar::noteChosen()
{
    const auto* const snapshot = m_shelf.find(chosen());
    if (!snapshot)
        return;
    auto* question = new QInputDialog(this);
    question->setAttribute(Qt::WA_DeleteOnClose);
    question->setWindowTitle(tr("Note"));
    question->setLabelText(tr("Note on “%1”:").arg(titleOf(*snapshot)));
    question->setOption(QInputDialog::UsePlainTextEditForTextInput);
    question->setTextValue(QString::fromStdString(snapshot->note));
    connect(question, &QInputDialog::textValueSelected, this, [this, id = chosen()](const QString& note) {
        m_shelf.setNote(id, note.trimmed());
    });
    question->open();
}

void SnapshotSidebar::deleteChosen()
{
    const auto* const snapshot = m_shelf.find(chosen());
    if (!snapshot)
        return;
    const QString id = chosen(), title = titleOf(*snapshot);
    m_shelf.remove(id);
    m_messages.say(
        MessageBar::Tone::information, tr("“%1” is deleted. Until this window is closed it can be brought back.").arg(title),
        tr("&Undo"), [this, id] { m_shelf.undoRemove(id); });
}

void SnapshotSidebar::undoDelete()
{
    if (m_shelf.canUndoRemove())
        m_shelf.undoRemove(QString::fromStdString(m_shelf.lastRemoved().id));
}

void SnapshotSidebar::goBack(const QString& id)
{
    const auto* const snapshot = m_shelf.find(id);
    if (!snapshot || !m_on)
        return;
    if (!snapshot->trouble.empty())
        return m_messages.say(MessageBar::Tone::problem, QString::fromStdString(snapshot->trouble));
    if (m_starts)
        return emit startWanted(id);
    m_shelf.goBack(id, app::SnapshotShelf::Present::kept, tr("Kept before going back to “%1”").arg(titleOf(*snapshot)));
}

void SnapshotSidebar::sayWentBack(const QString& id, const QString& kept)
{
    const auto* const snapshot = m_shelf.find(id);
    const QString title = snapshot ? titleOf(*snapshot) : QString();
    m_view->setCurrentIndex(m_list.indexOf(id));
    if (kept.isEmpty())
        return m_messages.say(MessageBar::Tone::information, tr("The machine is back at “%1”.").arg(title));
    m_messages.say(
        MessageBar::Tone::information, tr("The machine is back at “%1”. What it was before is kept as a snapshot.").arg(title),
        tr("&Undo"), [this, kept] { goBack(kept); });
}

void SnapshotSidebar::sayGoingBackFailed(const QString& id, const engine::Error& error, app::SnapshotShelf::Present present)
{
    if (present == app::SnapshotShelf::Present::lost)
        return m_messages.say(error);
    m_messages.say(
        MessageBar::Tone::problem,
        tr("The machine did not go back, because what it is now could not be kept: %1").arg(app::sentences(error)),
        tr("Go back &all the same"), [this, id] { m_shelf.goBack(id, app::SnapshotShelf::Present::lost); });
}

}
