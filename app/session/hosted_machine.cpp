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
    auto lock = MachineLock::take(name);
    if (!lock)
        return lock.error();
    if (const auto found = beginWith(definition.value(), options); !found)
        return found.error();
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
    m_session.reset();
}

void HostedMachine::keepPicture()
{
    const auto frame = m_session->frame();
    if (!frame || frame->number == m_keptFrame || !m_writePicture)
        return;
    // A picture that cannot be kept is not worth stopping for.
    if (m_writePicture(*frame, m_library.screenPicture(m_session->name())))
        m_keptFrame = frame->number;
}

// A disc that was put in stays in.
void HostedMachine::keepDefinition()
{
    if (auto kept = m_library.find(m_session->name())) {
        kept->cdrom = m_session->definition().cdrom;
        kept->floppy = m_session->definition().floppy;
        (void)m_library.save(kept.value());
    }
}

}
