#pragma once
// One page on which everything is filled in already; Enter creates the machine and starts it.

#include <atomic>
#include <memory>

#include <QComboBox>
#include <QDialog>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QSpinBox>

#include "app/library/machine_library.h"
#include "app/library/medium.h"

namespace ui {

class NewMachineSheet : public QDialog {
    Q_OBJECT

public:
    // `image` is the file to start from, "" for none yet.
    explicit NewMachineSheet(app::MachineLibrary& library, const QString& image = {}, QWidget* parent = nullptr);

    void setImage(const QString& path);
    // What the page says now.
    app::NewMachine draft() const;

signals:
    void created(const QString& name);

protected:
    void accept() override;
    void reject() override;
    void showEvent(QShowEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    // A field and, under it, what is wrong with it or worth knowing.
    struct Field {
        QWidget* input;
        QLabel* remark;
        engine::Result<void> (NewMachineSheet::*check)() const;
    };

    void create(const app::NewMachine& machine);
    void showMade(const engine::Result<void>& made, const QString& name);
    void arrange();
    void
    addField(QFormLayout* form, const QString& label, QWidget* input, engine::Result<void> (NewMachineSheet::*check)() const);
    void chooseImage();
    void imageChanged();
    void prefill();
    void showRemarks();
    void growToText();
    QString remarkFor(const QWidget* input) const;
    QWidget* firstWrongField() const;

    engine::Result<void> checkImage() const { return m_imageCheck; }
    engine::Result<void> checkName() const;
    engine::Result<void> checkMemory() const;
    engine::Result<void> checkProcessors() const;
    engine::Result<void> checkDisk() const;
    engine::Result<void> checkAccelerator() const;
    engine::Result<void> checkFirmware() const;

    app::MachineLibrary& m_library;
    std::optional<app::Medium> m_medium;
    engine::Result<void> m_imageCheck;
    std::optional<engine::KvmVerdict> m_kvm;
    // Values that the person chose; a new image doesn't overwrite them.
    bool m_nameIsTheirs = false, m_memoryIsTheirs = false, m_diskIsTheirs = false, m_firmwareIsTheirs = false;
    bool m_filling = false;

    QLineEdit* m_image;
    QLineEdit* m_name;
    QSpinBox* m_memory;    // MiB
    QSpinBox* m_processors;
    QDoubleSpinBox* m_disk;    // GiB, 0 for none
    QComboBox* m_firmware;
    QComboBox* m_accelerator;
    QProgressBar* m_progress;    // of an import
    std::shared_ptr<std::atomic<bool>> m_stopped;    // set while there is one; tells it to end
    QLabel* m_failure;
    QPushButton* m_create;
    std::vector<Field> m_fields;
};

}
