#pragma once
// One running machine as Qt sees it: the only crossing between Qt and engine::Machine. Methods are called on the thread
// that owns the session; signals arrive there too, however many engine threads speak. QtCore only.

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include <QByteArray>
#include <QObject>
#include <QTimer>

#include "app/session/key_names.h"
#include "engine/engine.h"

namespace app {

class MachineSession : public QObject {
    Q_OBJECT

public:
    using Factory
        = std::function<engine::Result<std::unique_ptr<engine::Machine>>(const engine::MachineDefinition&, engine::Listener&)>;

    static engine::Result<std::unique_ptr<MachineSession>>
    open(const engine::MachineDefinition& definition, const Factory& factory = &engine::Machine::create);
    ~MachineSession() override;

    void start() { m_machine->start(); }
    void pause() { m_machine->pause(); }
    void resume() { m_machine->resume(); }
    void reset() { m_machine->reset(); }
    void pressPowerButton() { m_machine->press_power_button(); }
    void powerOff() { m_machine->power_off(); }

    // See engine::Machine; how it went comes as a signal. One of them at a time.
    engine::Result<void> takeSnapshot(const engine::SnapshotRequest& request) { return begun(m_machine->take_snapshot(request)); }
    engine::Result<void> goBack(const QString& id) { return begun(m_machine->restore_snapshot(id.toStdString())); }
    engine::Result<void> saveAndStop() { return begun(m_machine->save_and_stop()); }
    void mergeLayers() { m_machine->merge_layers(); }
    bool isSnapshotUnderWay() const { return m_snapshotUnderWay; }
    QString presentSnapshot() const { return QString::fromStdString(m_machine->present_snapshot()); }
    bool hasSnapshots() const { return !m_definition.snapshots.empty(); }
    // A trial is thrown away at its end, unless it was saved or this was said: then its disks become a snapshot.
    bool isTrial() const { return m_definition.trial; }
    void keepTrialsDisks() { m_keepsDisks = true; }
    bool keepsTrialsDisks() const { return m_keepsDisks; }

    const engine::MachineDefinition& definition() const { return m_definition; }
    QString name() const { return QString::fromStdString(m_definition.name); }
    engine::MachineState state() const { return m_machine->state(); }
    // Set from the moment `stopped` is emitted.
    const std::optional<engine::StopReason>& stopReason() const { return m_stopReason; }
    engine::Machine::AcceleratorInUse accelerator() const { return m_machine->accelerator(); }
    engine::MachineStats stats() const { return m_machine->stats(); }

    std::shared_ptr<const engine::Frame> frame() const { return m_machine->frame(); }
    // `done` is called on the session's thread, soon; see engine::Machine::translation_of().
    void translationOf(quint64 address, std::function<void(const std::vector<engine::TranslatedBlock>&)> done);
    engine::ScreenText screenText() { return m_machine->screen_text(); }

    void key(quint16 code, bool down) { m_machine->key(code, down); }
    void pointer(int dx, int dy, int wheel, quint8 buttons) { m_machine->pointer(dx, dy, wheel, buttons); }
    void serialInput(const QByteArray& bytes) { m_machine->serial_input({bytes.constData(), size_t(bytes.size())}); }

    // Types at a person's pace, after what is still being typed. `typed` is emitted when the last key is up.
    static constexpr size_t mostKeysWaiting = 100'000;
    static constexpr std::chrono::milliseconds typingPace{20};
    engine::Result<void> type(const KeyEvents& events, std::chrono::milliseconds pace = typingPace);
    bool isTyping() const { return !m_toType.empty(); }

    QString cdrom() const { return QString::fromStdString(m_definition.cdrom); }
    engine::Result<void> changeCdrom(const QString& path);    // "" ejects
    QString floppy() const { return QString::fromStdString(m_definition.floppy); }
    engine::Result<void> changeFloppy(const QString& path);

signals:
    void stateChanged(engine::MachineState state);
    void stopped(const engine::StopReason& reason);
    // Paused because the host cannot go on, as with a full disk; resume() tries again.
    void needsAttention(const engine::Error& error);
    void frameReady();
    void serialOutput(const QByteArray& bytes);
    void debugOutput(const QByteArray& bytes);
    void diskActive(unsigned drive, bool write);
    void keyboardLeds(quint8 leds);    // bit 0 scroll, 1 num, 2 caps
    void typed();
    void mediaChanged();
    void snapshotProgress(const engine::SnapshotProgress& progress);
    void snapshotTaken(const engine::SnapshotInfo& snapshot);
    void snapshotFailed(const engine::Error& error);
    void wentBack(const QString& id);    // also at a start from a snapshot
    void goingBackFailed(const engine::Error& error);

private:
    class Mailbox;    // the engine::Listener
    explicit MachineSession(const engine::MachineDefinition& definition);
    void typeNext();
    engine::Result<void> begun(engine::Result<void> result)
    {
        m_snapshotUnderWay |= bool(result);
        return result;
    }

    engine::MachineDefinition m_definition;
    std::unique_ptr<Mailbox> m_mailbox;
    std::unique_ptr<engine::Machine> m_machine;    // goes before the mailbox it speaks to
    std::optional<engine::StopReason> m_stopReason;
    std::deque<KeyEvent> m_toType;
    QTimer m_typing;
    bool m_snapshotUnderWay = false;
    bool m_keepsDisks = false;
};

}
