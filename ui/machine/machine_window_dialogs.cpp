// What the machine's window asks the person.

#include <QCloseEvent>
#include <QFileDialog>

#include "ui/image_folder.h"
#include "ui/machine/machine_keys.h"
#include "ui/machine/machine_window.h"

namespace ui {

void MachineWindow::insertDisc()
{
    auto* chooser = new QFileDialog(this, tr("Insert a CD or DVD image"), imageFolder(m_session.cdrom()));
    chooser->setAttribute(Qt::WA_DeleteOnClose);
    chooser->setFileMode(QFileDialog::ExistingFile);
    chooser->setNameFilters({tr("CD images (*.iso)"), tr("All files (*)")});
    connect(chooser, &QFileDialog::fileSelected, this, [this](const QString& path) { report(m_session.changeCdrom(path)); });
    chooser->open();
}

void MachineWindow::insertFloppy()
{
    auto* chooser = new QFileDialog(this, tr("Insert a floppy image"), imageFolder(m_session.floppy()));
    chooser->setAttribute(Qt::WA_DeleteOnClose);
    chooser->setFileMode(QFileDialog::ExistingFile);
    chooser->setNameFilters({tr("Floppy images (*.img *.ima *.flp *.vfd)"), tr("All files (*)")});
    connect(chooser, &QFileDialog::fileSelected, this, [this](const QString& path) { report(m_session.changeFloppy(path)); });
    chooser->open();
}

void MachineWindow::askBeforeClosing()
{
    if (m_question)
        return m_question->raise();
    m_question = new QMessageBox(
        QMessageBox::Warning, tr("Power off"), tr("Power off “%1”?").arg(m_session.name()), QMessageBox::Cancel, this);
    m_question->setAttribute(Qt::WA_DeleteOnClose);
    m_question->setInformativeText(
        tr("It is running. Everything in its memory is lost: open programs, unsaved documents, and what the guest has not yet "
           "written to its disk. The disk itself is kept."));
    QPushButton* off = m_question->addButton(tr("&Power off"), QMessageBox::DestructiveRole);
    QPushButton* ask = m_question->addButton(tr("&Ask the guest to shut down"), QMessageBox::ActionRole);
    m_question->setDefaultButton(QMessageBox::Cancel);
    connect(off, &QPushButton::clicked, this, [this] { m_session.powerOff(); });
    connect(ask, &QPushButton::clicked, this, [this] { m_session.pressPowerButton(); });
    m_question->open();
}

void MachineWindow::closeEvent(QCloseEvent* event)
{
    const engine::MachineState state = m_session.state();
    const bool off = m_over || state == engine::MachineState::stopped || state == engine::MachineState::created;
    if (!off) {
        // Goes on in showStopped.
        event->ignore();
        m_shelf ? saveAndClose() : askBeforeClosing();
        return;
    }
    if (m_dock && !isFullScreen())
        m_settings.setWindowGeometry(panes_key, saveState());
    if (m_sized && !isFullScreen() && !isMaximized())
        m_settings.setWindowGeometry(geometryKey(), saveGeometry());
    event->accept();
}

}
