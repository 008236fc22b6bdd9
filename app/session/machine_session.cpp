#include "app/session/machine_session.h"

#include <atomic>
#include <mutex>

#include <QCoreApplication>

#include "app/library/problem.h"

namespace app {

// Turns what engine threads say into events of the session's thread. What may come often is gathered: however slow the
// receiver, at most one event of a kind is under way.
class MachineSession::Mailbox : public engine::Listener {
public:
    explicit Mailbox(MachineSession& session) : m_session(session) { }

    void state_changed(engine::MachineState state) override
    {
        post([this, state] { emit m_session.stateChanged(state); });
    }
    void stopped(const engine::StopReason& reason) override
    {
        post([this, reason] {
            if (m_session.m_stopReason)
                return;
            m_session.m_stopReason = reason;
            emit m_session.stopped(reason);
        });
    }
    void needs_attention(const engine::Error& error) override
    {
        post([this, error] { emit m_session.needsAttention(error); });
    }
    void frame_ready() override
    {
        if (!m_framePosted.exchange(true))
            post([this] {
                m_framePosted = false;
                emit m_session.frameReady();
            });
    }
    void serial_output(std::string_view bytes) override { gather(m_serial, bytes, &MachineSession::serialOutput); }
    void debug_output(std::string_view bytes) override { gather(m_debug, bytes, &MachineSession::debugOutput); }
    void disk_active(unsigned drive, bool write) override
    {
        if (drive >= 16)
            return;
        const unsigned mark = 1u << (2 * drive + unsigned(write));
        if (m_disks.fetch_or(mark) == 0)
            post([this] { sayDisks(m_disks.exchange(0)); });
    }
    void keyboard_leds(engine::u8 leds) override
    {
        post([this, leds] { emit m_session.keyboardLeds(leds); });
    }
    void snapshot_progress(const engine::SnapshotProgress& progress) override
    {
        post([this, progress] { emit m_session.snapshotProgress(progress); });
    }
    void snapshot_taken(const engine::SnapshotInfo& snapshot) override
    {
        post([this, snapshot] {
            m_session.m_snapshotUnderWay = false;
            emit m_session.snapshotTaken(snapshot);
        });
    }
    void snapshot_failed(const engine::Error& error) override
    {
        post([this, error] {
            m_session.m_snapshotUnderWay = false;
            emit m_session.snapshotFailed(error);
        });
    }
    void snapshot_restored(const std::string& id) override
    {
        post([this, id] {
            m_session.m_snapshotUnderWay = false;
            emit m_session.wentBack(QString::fromStdString(id));
        });
    }
    void restore_failed(const engine::Error& error) override
    {
        post([this, error] {
            m_session.m_snapshotUnderWay = false;
            emit m_session.goingBackFailed(error);
        });
    }

private:
    static constexpr size_t mostGathered = 16 * 1024 * 1024;    // a guest may write faster than anybody reads

    struct Gathered {
        std::mutex mutex;
        std::string bytes;
    };

    template <class Action> void post(Action action)
    {
        QMetaObject::invokeMethod(&m_session, std::move(action), Qt::QueuedConnection);
    }

    void gather(Gathered& into, std::string_view bytes, void (MachineSession::*signal)(const QByteArray&))
    {
        const std::lock_guard lock(into.mutex);
        const bool idle = into.bytes.empty();
        into.bytes += bytes;
        if (into.bytes.size() > mostGathered)
            into.bytes.erase(0, into.bytes.size() - mostGathered / 2);
        if (idle && !into.bytes.empty())
            post([this, &into, signal] {
                std::string all;
                {
                    const std::lock_guard inner(into.mutex);
                    all.swap(into.bytes);
                }
                emit(m_session.*signal)(QByteArray::fromStdString(all));
            });
    }

    void sayDisks(unsigned marks)
    {
        for (unsigned drive = 0; drive < 16; ++drive)
            for (const bool write : {false, true})
                if (marks >> (2 * drive + unsigned(write)) & 1)
                    emit m_session.diskActive(drive, write);
    }

    MachineSession& m_session;
    std::atomic<bool> m_framePosted = false;
    std::atomic<unsigned> m_disks = 0;
    Gathered m_serial, m_debug;
};

engine::Result<std::unique_ptr<MachineSession>>
MachineSession::open(const engine::MachineDefinition& definition, const Factory& factory)
{
    std::unique_ptr<MachineSession> session(new MachineSession(definition));
    auto machine = factory(definition, *session->m_mailbox);
    if (!machine)
        return machine.error();
    session->m_machine = std::move(machine.value());
    return session;
}

MachineSession::MachineSession(const engine::MachineDefinition& definition)
    : m_definition(definition),
      m_mailbox(std::make_unique<Mailbox>(*this))
{
    m_typing.setTimerType(Qt::PreciseTimer);
    connect(&m_typing, &QTimer::timeout, this, &MachineSession::typeNext);
}

MachineSession::~MachineSession() = default;

void MachineSession::translationOf(quint64 address, std::function<void(const std::vector<engine::TranslatedBlock>&)> done)
{
    m_machine->translation_of(address, [this, done = std::move(done)](std::vector<engine::TranslatedBlock> blocks) {
        QMetaObject::invokeMethod(
            this, [done, blocks = std::move(blocks)] { done(blocks); }, Qt::QueuedConnection);
    });
}

engine::Result<void> MachineSession::type(const KeyEvents& events, std::chrono::milliseconds pace)
{
    if (events.size() > mostKeysWaiting - std::min(mostKeysWaiting, m_toType.size()))
        return problem(
            tr("The text is too long to type"), tr("at most %1 key strokes can wait").arg(mostKeysWaiting / 2),
            tr("Type it in parts"));
    m_toType.insert(m_toType.end(), events.begin(), events.end());
    if (!m_typing.isActive())
        m_typing.start(pace);
    return {};
}

void MachineSession::typeNext()
{
    if (!m_toType.empty()) {
        const KeyEvent event = m_toType.front();
        m_toType.pop_front();
        m_machine->key(event.key, event.down);
    }
    if (m_toType.empty()) {
        m_typing.stop();
        emit typed();
    }
}

engine::Result<void> MachineSession::changeCdrom(const QString& path)
{
    if (auto changed = m_machine->change_cdrom(path.toStdString()); !changed)
        return changed;
    m_definition.cdrom = path.toStdString();
    emit mediaChanged();
    return {};
}

engine::Result<void> MachineSession::changeFloppy(const QString& path)
{
    if (auto changed = m_machine->change_floppy(path.toStdString()); !changed)
        return changed;
    m_definition.floppy = path.toStdString();
    emit mediaChanged();
    return {};
}

}
