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

// At its end, whether a person closes it or the guest has switched itself off.
void MachineWindow::askWhatBecomesOfTheTrial()
{
    if (m_question)
        return m_question->raise();
    m_question = new QMessageBox(
        QMessageBox::Question, tr("End the trial"), tr("Keep what has become of this trial?"), QMessageBox::NoButton, this);
    m_question->setAttribute(Qt::WA_DeleteOnClose);
    m_question->setInformativeText(
        m_over
            ? tr("It has switched itself off. Kept, its disks become a snapshot of the machine that can be started from. "
                 "Thrown away, nothing remains of it.")
            : tr("Kept, it becomes a snapshot of the machine that can be gone back to. Thrown away, nothing remains of it. The "
                 "machine itself is not touched either way."));
    QPushButton* keep = m_question->addButton(tr("&Keep as a snapshot"), QMessageBox::AcceptRole);
    QPushButton* discard = m_question->addButton(tr("&Throw away"), QMessageBox::DestructiveRole);
    if (!m_over)
        m_question->addButton(tr("Go &on trying"), QMessageBox::RejectRole);
    m_question->setDefaultButton(keep);
    connect(keep, &QPushButton::clicked, this, [this] {
        if (!m_over)
            return saveAndClose();
        m_session.keepTrialsDisks();
        close();
    });
    connect(discard, &QPushButton::clicked, this, [this] {
        if (!m_over)
            return m_session.powerOff();
        close();
    });
    m_question->open();
}

void MachineWindow::askBeforeClosing()
{
    if (m_session.isTrial())
        return askWhatBecomesOfTheTrial();
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
        m_shelf && !m_session.isTrial() ? saveAndClose() : askBeforeClosing();
        return;
    }
    if (m_dock && !isFullScreen())
        m_settings.setWindowGeometry(panes_key, saveState());
    if (m_sized && !isFullScreen() && !isMaximized())
        m_settings.setWindowGeometry(geometryKey(), saveGeometry());
    event->accept();
}

}
