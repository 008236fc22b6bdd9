#include "ui/snapshots/clone_sheet.h"

#include <QDialogButtonBox>
#include <QFormLayout>
#include <QPointer>
#include <QThreadPool>

#include "app/library/problem.h"

namespace ui {

CloneSheet::CloneSheet(const app::MachineLibrary& library, const QString& machine, QWidget* parent)
    : QDialog(parent),
      m_library(library),
      m_name(new QLineEdit(library.suggestName(machine))),
      m_linked(new QCheckBox(tr("&Share the disks of “%1”").arg(machine))),
      m_trouble(new QLabel)
{
    setWindowTitle(tr("Make a machine of a snapshot"));
    setAttribute(Qt::WA_DeleteOnClose);
    m_name->setMaxLength(app::MachineLibrary::longestName);
    m_name->selectAll();
    m_trouble->setWordWrap(true);
    m_trouble->setTextFormat(Qt::PlainText);
    auto* remark = new QLabel(tr("Made at once, and takes only the room of what it changes. “%1” can then neither be renamed nor "
                                 "deleted as long as the new machine is there.")
                                  .arg(machine));
    remark->setWordWrap(true);
    remark->setTextFormat(Qt::PlainText);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel);
    m_make = buttons->addButton(tr("&Make it"), QDialogButtonBox::AcceptRole);
    auto* form = new QFormLayout(this);
    form->addRow(tr("&Name:"), m_name);
    form->addRow(m_linked);
    form->addRow(remark);
    form->addRow(m_trouble);
    form->addRow(buttons);
    setMinimumWidth(420);
    connect(m_name, &QLineEdit::textChanged, this, &CloneSheet::check);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(buttons, &QDialogButtonBox::accepted, this, [this] {
        emit wanted(m_name->text(), m_linked->isChecked() ? engine::CloneKind::linked : engine::CloneKind::full);
        accept();
    });
    check();
}

void CloneSheet::check()
{
    engine::Result<void> sound = app::MachineLibrary::checkName(m_name->text());
    if (sound)
        sound = m_library.checkNameIsFree(m_name->text());
    m_make->setEnabled(bool(sound));
    m_trouble->setText(sound ? QString() : app::sentences(sound.error()));
    m_trouble->setVisible(!sound);
}

void offerClone(
    const app::MachineLibrary& library, const QString& machine, const QString& snapshot, MessageBar& messages, QWidget* parent,
    const std::function<void(const QString&)>& made)
{
    auto* sheet = new CloneSheet(library, machine, parent);
    const QPointer<MessageBar> bar(&messages);
    const auto make = [=](const QString& name, engine::CloneKind kind) {
        bar->say(MessageBar::Tone::information, CloneSheet::tr("“%1” is being made.").arg(name));
        const QPointer<QWidget> alive(parent);
        const auto done = [=](const engine::Result<void>& cloned) {
            if (!bar || !alive)
                return;
            if (!cloned)
                return bar->say(cloned.error());
            bar->say(
                MessageBar::Tone::information,
                CloneSheet::tr("“%1” is made, and begins where the snapshot was taken.").arg(name));
            if (made)
                made(name);
        };
        QThreadPool::globalInstance()->start([=] {
            const auto cloned = app::MachineLibrary(library).clone(machine, snapshot.toStdString(), name, kind);
            QMetaObject::invokeMethod(
                QCoreApplication::instance(), [=] { done(cloned); }, Qt::QueuedConnection);
        });
    };
    QObject::connect(sheet, &CloneSheet::wanted, parent, make);
    sheet->open();
}

}
