#pragma once
// The list of a machine's snapshots at the side of its window, with what can be done with them.

#include <QAction>
#include <QLabel>
#include <QStackedWidget>
#include <QToolButton>

#include "ui/message_bar.h"
#include "ui/snapshots/snapshot_list.h"

namespace ui {

class SnapshotView;

class SnapshotSidebar : public QWidget {
    Q_OBJECT

public:
    // The shelf outlives it. What is to be said goes to `messages`. `take` is shown as the button that takes a snapshot.
    SnapshotSidebar(app::SnapshotShelf& shelf, MessageBar& messages, QAction* take, QWidget* parent = nullptr);

    // The snapshot to come gets its name here.
    void nameNewOne();
    void rename(const QString& id);
    // The present is kept first; what became of it is said with a way back.
    void goBack(const QString& id);
    void setMachineOn(bool on);
    void setTrialsOffered(bool offered);
    // The machine is off: in place of going back it can be started from a snapshot.
    void offerStarts();
    QAction* undoAction() const { return m_undo; }
    QSize sizeHint() const override { return {300, 400}; }

signals:
    void left();    // nothing is to be typed here any more
    void trialWanted(const QString& id);
    void startWanted(const QString& id);
    void cloneWanted(const QString& id);

private:
    QAction* addCommand(const QString& text, const QKeySequence& shortcut, void (SnapshotSidebar::*command)());
    void addActions();
    QWidget* makeEmptyPage(QAction* take);
    QString chosen() const;
    void showWhatIsThere();
    void startRenaming(const QModelIndex& index);
    void goBackToChosen() { goBack(chosen()); }
    void cloneChosen() { emit cloneWanted(chosen()); }
    void tryChosen() { emit trialWanted(chosen()); }
    void renameChosen() { rename(chosen()); }
    void noteChosen();
    void deleteChosen();
    void undoDelete();
    void sayWentBack(const QString& id, const QString& kept);
    void sayGoingBackFailed(const QString& id, const engine::Error& error, app::SnapshotShelf::Present present);

    app::SnapshotShelf& m_shelf;
    MessageBar& m_messages;
    SnapshotList m_list;
    QStackedWidget* m_pages;
    SnapshotView* m_view;
    QAction* m_goBack = nullptr;
    QAction* m_try = nullptr;
    QAction* m_clone = nullptr;
    QAction* m_rename = nullptr;
    QAction* m_note = nullptr;
    QAction* m_delete = nullptr;
    QAction* m_undo = nullptr;
    QLabel* m_sum;
    QToolButton* m_undoButton;
    bool m_on = true;
    bool m_starts = false;
    bool m_naming = false;    // the one that was just asked for
};

}
