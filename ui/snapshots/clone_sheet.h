#pragma once
// Asks how a machine made of a snapshot is called, and whether it shares the original's disks.

#include <functional>

#include <QCheckBox>
#include <QDialog>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>

#include "app/library/machine_library.h"
#include "ui/message_bar.h"

namespace ui {

class CloneSheet : public QDialog {
    Q_OBJECT

public:
    CloneSheet(const app::MachineLibrary& library, const QString& machine, QWidget* parent);

signals:
    void wanted(const QString& name, engine::CloneKind kind);

private:
    void check();

    app::MachineLibrary m_library;
    QLineEdit* m_name;
    QCheckBox* m_linked;
    QLabel* m_trouble;
    QPushButton* m_make;
};

// Opens the sheet and makes the machine on another thread; what comes of it goes to `messages`, and `made` hears its name.
void offerClone(
    const app::MachineLibrary& library, const QString& machine, const QString& snapshot, MessageBar& messages, QWidget* parent,
    const std::function<void(const QString&)>& made = {});

}
