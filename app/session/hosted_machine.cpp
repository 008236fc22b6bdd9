#include "app/session/hosted_machine.h"

namespace app {

using namespace std::chrono_literals;

engine::Result<std::unique_ptr<HostedMachine>> HostedMachine::open(
    const MachineLibrary& library, const QString& name, PictureWriter writePicture, const MachineSession::Factory& factory,
    const StartOptions& options)
{
    auto definition = library.find(name);
    if (!definition)
        return definition.error();
    // First the lock: two processes must not even open the same disk.
    auto lock = MachineLock::take(options.trial ? trialName(name) : name);
    if (!lock)
        return lock.error();
    const auto begun = options.trial ? beginTrial(definition.value(), options) : beginWith(definition.value(), options);
    if (!begun)
        return begun.error();
    auto session = MachineSession::open(definition.value(), factory);
    if (!session)
        return session.error();
    auto server = ControlServer::listen(*session.value(), writePicture, std::move(lock.value()));
    if (!server)
        return server.error();
    return std::unique_ptr<HostedMachine>(
        new HostedMachine(library, std::move(session.value()), std::move(server.value()), std::move(writePicture)));
}

engine::Result<void> HostedMachine::beginWith(engine::MachineDefinition& definition, const StartOptions& options)
{
    if (options.from == QLatin1String("power-on"))
        definition.start_from = engine::MachineDefinition::start_cold;
    if (options.from.isEmpty() || !definition.start_from.empty())
        return {};
    auto tree = engine::SnapshotTree::open(definition.snapshots);
    if (!tree)
        return tree.error();
    const auto found = tree.value()->find(options.from.toStdString());
    if (!found)
        return found.error();
    definition.start_from = found.value().id;
    if (!options.keep)
        return {};
    const std::string note = tr("Kept before starting from “%1”")
                                 .arg(found.value().name.empty() ? options.from : QString::fromStdString(found.value().name))
                                 .toStdString();
    // A saved state is a snapshot already; with a note it stays one.
    if (const std::string saved = tree.value()->saved_state(); !saved.empty())
        return saved == found.value().id ? engine::Result<void>() : tree.value()->set_note(saved, note);
    const auto kept = engine::take_snapshot_of_stopped(definition, {.note = note, .kind = engine::SnapshotInfo::Kind::automatic});
    return kept ? engine::Result<void>() : kept.error();
}

QString trialName(const QString& machine)
{
    const QString mark = QStringLiteral(" (trial)");
    return machine.left(MachineLibrary::longestName - mark.size()).trimmed() + mark;
}

QString runningTrialOf(const QString& machine, const MachineLibrary& library)
{
    const QString name = trialName(machine);
    return isMachineRunning(name) && !library.contains(name) ? name : QString();
}

// Of the machine as it is now: what it was saved as, or its disks; both are snapshots, and the machine itself may go on.
engine::Result<void> HostedMachine::beginTrial(engine::MachineDefinition& definition, const StartOptions& options)
{
    const QString name = QString::fromStdString(definition.name);
    if (!options.from.isEmpty()) {
        if (auto found = beginWith(definition, {.from = options.from}); !found)
            return found;
    } else {
        const auto lock = MachineLock::take(name);
        if (!lock)
            return problem(
                tr("“%1” is running").arg(name), {}, tr("Take a snapshot of it, and try that: a trial begins with a snapshot"));
        const auto tree = engine::SnapshotTree::open(definition.snapshots);
        definition.start_from = tree ? tree.value()->saved_state() : std::string();
        if (definition.start_from.empty()) {
            const auto taken = engine::take_snapshot_of_stopped(
                definition, {.note = tr("Where a trial began").toStdString(), .kind = engine::SnapshotInfo::Kind::automatic});
            if (!taken)
                return taken.error();
            definition.start_from = taken.value().id;
        }
    }
    definition.trial = true;
    definition.name = trialName(name).toStdString();
    return {};
}

HostedMachine::HostedMachine(
    const MachineLibrary& library, std::unique_ptr<MachineSession> session, std::unique_ptr<ControlServer> server,
    PictureWriter writer)
    : m_library(library),
      m_session(std::move(session)),
      m_server(std::move(server)),
      m_writePicture(std::move(writer))
{
    m_pictureTimer.callOnTimeout(this, &HostedMachine::keepPicture);
    m_pictureTimer.start(10s);
    connect(m_session.get(), &MachineSession::stopped, this, &HostedMachine::keepPicture);
    connect(m_session.get(), &MachineSession::mediaChanged, this, &HostedMachine::keepDefinition);
}

HostedMachine::~HostedMachine()
{
    keepPicture();
    // Once the socket and the lock are gone the machine may be started anew, so its disks must be closed by then.
    m_session->disconnect(m_server.get());
    m_server->close();
    const engine::MachineDefinition definition = m_session->definition();
    const bool keepsDisks = m_session->keepsTrialsDisks();
    m_session.reset();
    if (!definition.trial)
        return;
    if (keepsDisks)
        (void)engine::keep_trial(definition, {.note = tr("Kept from a trial").toStdString()});
    (void)engine::end_trial(definition);
}

void HostedMachine::keepPicture()
{
    const auto frame = m_session->frame();
    if (!frame || frame->number == m_keptFrame || !m_writePicture || m_session->isTrial())
        return;
    // A picture that cannot be kept is not worth stopping for.
    if (m_writePicture(*frame, m_library.screenPicture(m_session->name())))
        m_keptFrame = frame->number;
}

// A disc that was put in stays in.
void HostedMachine::keepDefinition()
{
    if (auto kept = m_library.find(m_session->name()); kept && !m_session->isTrial()) {
        kept->cdrom = m_session->definition().cdrom;
        kept->floppy = m_session->definition().floppy;
        (void)m_library.save(kept.value());
    }
}

}
