#include "ui/new_machine/new_machine_sheet.h"

#include <cmath>

#include <QDialogButtonBox>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLocale>
#include <QMimeData>
#include <QPointer>
#include <QStorageInfo>
#include <QThread>
#include <QThreadPool>
#include <QVBoxLayout>

#include "ui/image_folder.h"
#include "ui/kvm_verdict.h"

namespace ui {

namespace {

constexpr double gibibyte = 1024.0 * 1024 * 1024;
constexpr int most_memory = 99'999'999;    // MiB: what is too much is said, not silently cut
constexpr int sheet_width = 520;

QString inUnits(double bytes)
{
    return QLocale().formattedDataSize(qint64(bytes), 1);
}

}

NewMachineSheet::NewMachineSheet(app::MachineLibrary& library, const QString& image, QWidget* parent)
    : QDialog(parent),
      m_library(library)
{
    setWindowTitle(tr("New machine"));
    setAcceptDrops(true);
    arrange();
    connect(m_image, &QLineEdit::textChanged, this, &NewMachineSheet::imageChanged);
    connect(m_name, &QLineEdit::textEdited, this, [this] { m_nameIsTheirs = true; });
    connect(m_name, &QLineEdit::textChanged, this, &NewMachineSheet::showRemarks);
    connect(m_memory, &QSpinBox::valueChanged, this, [this] {
        m_memoryIsTheirs |= !m_filling;
        showRemarks();
    });
    connect(m_processors, &QSpinBox::valueChanged, this, &NewMachineSheet::showRemarks);
    connect(m_disk, &QDoubleSpinBox::valueChanged, this, [this] {
        m_diskIsTheirs |= !m_filling;
        showRemarks();
    });
    connect(m_firmware, &QComboBox::currentIndexChanged, this, [this] {
        m_firmwareIsTheirs |= !m_filling;
        showRemarks();
    });
    connect(m_accelerator, &QComboBox::currentIndexChanged, this, &NewMachineSheet::showRemarks);
    askForKvm(this, [this](const engine::KvmVerdict& verdict) {
        m_kvm = verdict;
        showRemarks();
    });
    prefill();
    setImage(image);
    showRemarks();
    (image.isEmpty() ? static_cast<QWidget*>(m_image) : m_create)->setFocus();
}

void NewMachineSheet::arrange()
{
    m_image = new QLineEdit;
    m_image->setPlaceholderText(tr("A CD image (ISO), disk image or exported machine (OVA); drop it here"));
    m_image->setClearButtonEnabled(true);
    auto* choose = new QPushButton(tr("C&hoose…"));
    choose->setAccessibleName(tr("Choose an image"));
    choose->setAutoDefault(false);
    connect(choose, &QPushButton::clicked, this, &NewMachineSheet::chooseImage);
    auto* imageRow = new QWidget;
    auto* row = new QHBoxLayout(imageRow);
    row->setContentsMargins(0, 0, 0, 0);
    row->addWidget(m_image, 1);
    row->addWidget(choose);
    imageRow->setFocusProxy(m_image);

    m_name = new QLineEdit;
    m_memory = new QSpinBox;
    m_memory->setRange(0, most_memory);
    m_memory->setSingleStep(256);
    m_memory->setSuffix(tr(" MiB"));
    m_memory->setGroupSeparatorShown(true);
    m_processors = new QSpinBox;
    m_processors->setRange(0, 999);
    m_disk = new QDoubleSpinBox;
    m_disk->setRange(0, 99'999);
    m_disk->setDecimals(1);
    m_disk->setSuffix(tr(" GiB"));
    m_disk->setSpecialValueText(tr("No disk"));
    m_firmware = new QComboBox;
    m_firmware->addItem(tr("BIOS"), QString());
    m_firmware->addItem(tr("UEFI"), QString::fromLatin1(engine::MachineDefinition::uefi));
    m_accelerator = new QComboBox;
    m_accelerator->addItem(tr("Automatic"), int(engine::Accelerator::automatic));
    m_accelerator->addItem(tr("KVM"), int(engine::Accelerator::kvm));
    m_accelerator->addItem(tr("Built-in translator"), int(engine::Accelerator::translator));

    auto* form = new QFormLayout;
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    addField(form, tr("&Image:"), imageRow, &NewMachineSheet::checkImage);
    addField(form, tr("&Name:"), m_name, &NewMachineSheet::checkName);
    addField(form, tr("&Memory:"), m_memory, &NewMachineSheet::checkMemory);
    addField(form, tr("&Processors:"), m_processors, &NewMachineSheet::checkProcessors);
    addField(form, tr("New &disk:"), m_disk, &NewMachineSheet::checkDisk);
    addField(form, tr("&Firmware:"), m_firmware, &NewMachineSheet::checkFirmware);
    addField(form, tr("&Runs with:"), m_accelerator, &NewMachineSheet::checkAccelerator);

    m_failure = new QLabel;
    m_failure->setWordWrap(true);
    m_failure->setTextFormat(Qt::PlainText);
    m_failure->hide();
    m_progress = new QProgressBar;
    m_progress->setRange(0, 100);
    m_progress->setAccessibleName(tr("Disks being imported"));
    m_progress->hide();
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel);
    m_create = buttons->addButton(tr("&Create and start"), QDialogButtonBox::AcceptRole);
    connect(buttons, &QDialogButtonBox::accepted, this, &NewMachineSheet::accept);
    connect(buttons, &QDialogButtonBox::rejected, this, &NewMachineSheet::reject);

    auto* page = new QVBoxLayout(this);
    page->addLayout(form);
    page->addStretch(1);
    page->addWidget(m_failure);
    page->addWidget(m_progress);
    page->addWidget(buttons);
    setMinimumWidth(sheet_width);
    m_create->setDefault(true);    // only now does it know its dialog
}

void NewMachineSheet::addField(
    QFormLayout* form, const QString& label, QWidget* input, engine::Result<void> (NewMachineSheet::*check)() const)
{
    auto* remark = new QLabel;
    remark->setWordWrap(true);
    remark->setTextFormat(Qt::PlainText);
    remark->setMinimumHeight(remark->fontMetrics().lineSpacing());
    auto* column = new QVBoxLayout;
    column->setSpacing(2);
    column->addWidget(input);
    column->addWidget(remark);
    QWidget* focus = input->focusProxy() ? input->focusProxy() : input;
    auto* name = new QLabel(label);
    name->setBuddy(focus);    // a label's key does nothing for a widget that cannot have the focus itself
    form->addRow(name, column);
    focus->setAccessibleName(QString(label).remove(u'&').remove(u':'));
    m_fields.push_back({focus, remark, check});
}

void NewMachineSheet::setImage(const QString& path)
{
    m_image->setText(path);
}

void NewMachineSheet::chooseImage()
{
    const QString path = QFileDialog::getOpenFileName(
        this, tr("Choose an image"), imageFolder(m_image->text()),
        tr("CD and disk images, exported machines (*.iso *.img *.raw *.qcow2 *.flp *.ima *.ova *.ovf);;All files (*)"));
    if (!path.isEmpty())
        setImage(path);
}

void NewMachineSheet::imageChanged()
{
    m_medium.reset();
    m_imageCheck = {};
    if (const QString path = m_image->text().trimmed(); !path.isEmpty()) {
        auto probed = app::probeMedium(path);
        if (probed)
            m_medium = probed.value();
        else
            m_imageCheck = probed.error();
    }
    prefill();
    showRemarks();
}

void NewMachineSheet::prefill()
{
    const app::Medium medium = m_medium.value_or(app::Medium{.diskBytes = quint64(20 * gibibyte)});
    m_filling = true;
    if (!m_nameIsTheirs)
        m_name->setText(m_library.suggestName(medium.title));
    if (!m_memoryIsTheirs)
        m_memory->setValue(int(medium.memoryMib));
    if (!m_diskIsTheirs)
        m_disk->setValue(double(medium.diskBytes) / gibibyte);
    if (!m_firmwareIsTheirs)
        m_firmware->setCurrentIndex((medium.needsUefi || medium.appliance.uefi) && engine::has_uefi());
    if (medium.kind == app::Medium::Kind::appliance)
        m_processors->setValue(int(medium.appliance.cpus));
    else if (m_processors->value() == 0)
        m_processors->setValue(QThread::idealThreadCount() >= 4 ? 2 : 1);
    m_filling = false;
}

app::NewMachine NewMachineSheet::draft() const
{
    app::NewMachine machine;
    machine.definition.name = m_name->text().trimmed().toStdString();
    machine.definition.memory_mib = engine::u64(m_memory->value());
    machine.definition.cpus = unsigned(m_processors->value());
    machine.definition.firmware = m_firmware->currentData().toString().toStdString();
    machine.definition.accelerator = engine::Accelerator(m_accelerator->currentData().toInt());
    machine.diskBytes = quint64(std::llround(m_disk->value() * 1024)) * 1024 * 1024;
    if (m_medium) {
        const std::string path = m_medium->path.toStdString();
        if (m_medium->kind == app::Medium::Kind::cdrom)
            machine.definition.cdrom = path;
        else if (m_medium->kind == app::Medium::Kind::appliance)
            machine.imports = m_medium->appliance.disks;
        else if (m_medium->kind == app::Medium::Kind::floppy)
            machine.definition.floppy = path;
        else
            machine.definition.disks.push_back(path);
    }
    return machine;
}

engine::Result<void> NewMachineSheet::checkName() const
{
    const QString name = m_name->text().trimmed();
    if (auto fit = app::MachineLibrary::checkName(name); !fit)
        return fit;
    return m_library.checkNameIsFree(name);
}

engine::Result<void> NewMachineSheet::checkMemory() const
{
    return app::MachineLibrary::checkMemory(quint64(m_memory->value()));
}

engine::Result<void> NewMachineSheet::checkProcessors() const
{
    return app::MachineLibrary::checkProcessors(unsigned(m_processors->value()));
}

engine::Result<void> NewMachineSheet::checkDisk() const
{
    return app::MachineLibrary::checkDisk(draft().diskBytes);
}

engine::Result<void> NewMachineSheet::checkAccelerator() const
{
    const bool wanted = m_accelerator->currentData().toInt() == int(engine::Accelerator::kvm);
    if (wanted && m_kvm && !m_kvm->usable)
        return app::problem(tr("KVM cannot be used"), QString::fromStdString(m_kvm->reason), tr("Choose Automatic"));
    return {};
}

engine::Result<void> NewMachineSheet::checkFirmware() const
{
    if (!m_firmware->currentData().toString().isEmpty() && !engine::has_uefi())
        return app::problem(
            tr("There is no UEFI firmware on this computer"), tr("the package ovmf is not installed"),
            tr("Install it, or choose BIOS"));
    return {};
}

QString NewMachineSheet::remarkFor(const QWidget* input) const
{
    if (input == m_image) {
        if (!m_medium)
            return tr("Without an image the machine has nothing to start from.");
        if (!m_medium->warning.isEmpty())
            return QStringLiteral("⚠ ") + m_medium->warning;
        if (m_medium->kind == app::Medium::Kind::appliance) {
            const qsizetype disks = m_medium->appliance.disks.size();
            const QString what = disks == 0 ? tr("%1, without a disk.").arg(m_medium->title)
                : disks == 1                ? tr("%1, with one disk, which is copied.").arg(m_medium->title)
                                            : tr("%1, with %2 disks, which are copied.").arg(m_medium->title).arg(disks);
            const QStringList& leftOut = m_medium->appliance.leftOut;
            return leftOut.isEmpty() ? what : what + u' ' + tr("Not taken over: %1.").arg(leftOut.join(QStringLiteral("; ")));
        }
        return m_medium->kind == app::Medium::Kind::disk ? tr("%1. The machine writes to this very file.").arg(m_medium->title)
                                                         : m_medium->title;
    }
    if (input == m_memory)
        return tr("This computer can give up to %L1 MiB.").arg(engine::memory_limit() >> 20);
    if (input == m_processors)
        return tr("This computer has %n.", nullptr, QThread::idealThreadCount());
    if (input == m_disk) {
        const QStorageInfo storage(
            QFileInfo(m_library.machinesFolder()).exists() ? m_library.machinesFolder() : QDir::homePath());
        const double wanted = m_disk->value() * gibibyte;
        if (wanted > double(storage.bytesAvailable()))
            return tr("Only %1 are free now; the machine stops when the disk grows beyond that.")
                .arg(inUnits(double(storage.bytesAvailable())));
        return wanted > 0 ? tr("Takes space only as it fills; %1 are free.").arg(inUnits(double(storage.bytesAvailable())))
                          : QString();
    }
    if (input == m_firmware)
        return m_medium && m_medium->needsUefi && m_firmware->currentIndex() == 0
            ? QStringLiteral("⚠ ") + tr("This disc starts machines with UEFI firmware only.")
            : QString();
    if (input == m_accelerator) {
        if (!m_kvm)
            return tr("Looking whether KVM works here…");
        const QString reason = QString::fromStdString(m_kvm->reason);
        const bool automatic = m_accelerator->currentData().toInt() == int(engine::Accelerator::automatic);
        return automatic && !m_kvm->usable ? tr("The built-in translator, because KVM can't be used here. %1").arg(reason)
                                           : reason;
    }
    return {};
}

void NewMachineSheet::showRemarks()
{
    m_failure->hide();
    for (const Field& field : m_fields) {
        const auto check = (this->*field.check)();
        const QString text = check ? remarkFor(field.input) : app::sentences(check.error());
        QFont font = field.remark->font();
        font.setBold(!check);
        field.remark->setFont(font);
        field.remark->setText(check ? text : QStringLiteral("⚠ ") + text);
        field.input->setAccessibleDescription(text);
    }
    growToText();
}

// A dialog doesn't grow by itself when a wrapped text does.
void NewMachineSheet::growToText()
{
    layout()->activate();
    const int needed = layout()->totalHeightForWidth(width());
    if (isVisible() && needed > height())
        resize(width(), needed);
}

QWidget* NewMachineSheet::firstWrongField() const
{
    for (const Field& field : m_fields)
        if (!(this->*field.check)())
            return field.input;
    return nullptr;
}

void NewMachineSheet::accept()
{
    showRemarks();
    if (QWidget* wrong = firstWrongField()) {
        wrong->setFocus();
        return;
    }
    const app::NewMachine machine = draft();
    if (machine.imports.empty())
        return showMade(m_library.create(machine), QString::fromStdString(machine.definition.name));
    create(machine);
}

// Disks are copied on another thread; the sheet shows how far that is, and closing it stops that.
void NewMachineSheet::create(const app::NewMachine& machine)
{
    if (m_stopped)
        return;
    m_stopped = std::make_shared<std::atomic<bool>>(false);
    m_progress->setValue(0);
    m_progress->show();
    m_create->setEnabled(false);
    for (const Field& field : m_fields)
        field.input->setEnabled(false);
    growToText();
    const QPointer<NewMachineSheet> sheet(this);
    const auto later = [](std::function<void()> what) {
        QMetaObject::invokeMethod(QCoreApplication::instance(), std::move(what), Qt::QueuedConnection);
    };
    QThreadPool::globalInstance()->start([sheet, later, machine, stopped = m_stopped, library = m_library]() mutable {
        int percent = 0;
        const auto made = library.create(machine, [&](double done) {
            if (std::exchange(percent, int(done * 100)) != percent)
                later([sheet, percent] {
                    if (sheet)
                        sheet->m_progress->setValue(percent);
                });
            return !stopped->load();
        });
        later([sheet, made, name = QString::fromStdString(machine.definition.name)] {
            if (sheet)
                sheet->showMade(made, name);
        });
    });
}

void NewMachineSheet::showMade(const engine::Result<void>& made, const QString& name)
{
    m_stopped.reset();
    m_progress->hide();
    m_create->setEnabled(true);
    for (const Field& field : m_fields)
        field.input->setEnabled(true);
    if (made) {
        QDialog::accept();
        emit created(name);
        return;
    }
    m_failure->setText(app::sentences(made.error()));
    m_failure->show();
    growToText();
}

void NewMachineSheet::reject()
{
    if (m_stopped)
        *m_stopped = true;
    QDialog::reject();
}

void NewMachineSheet::showEvent(QShowEvent* event)
{
    QDialog::showEvent(event);
    growToText();
}

void NewMachineSheet::dragEnterEvent(QDragEnterEvent* event)
{
    if (event->mimeData()->hasUrls() && event->mimeData()->urls().constFirst().isLocalFile())
        event->acceptProposedAction();
}

void NewMachineSheet::dropEvent(QDropEvent* event)
{
    setImage(event->mimeData()->urls().constFirst().toLocalFile());
}

}
