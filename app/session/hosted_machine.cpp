#include "app/session/hosted_machine.h"

namespace app {

using namespace std::chrono_literals;

engine::Result<std::unique_ptr<HostedMachine>> HostedMachine::open(
    const MachineLibrary& library, const QString& name, PictureWriter writePicture, const MachineSession::Factory& factory,
    const QString& from)
{
    auto definition = library.find(name);
    if (!definition)
        return definition.error();
    if (from == QLatin1String("power-on")) {
        definition->start_from = engine::MachineDefinition::start_cold;
    } else if (!from.isEmpty()) {
        auto tree = engine::SnapshotTree::open(definition->snapshots);
        const auto found = tree ? tree.value()->find(from.toStdString()) : engine::Result<engine::SnapshotInfo>(tree.error());
        if (!found)
            return found.error();
        definition->start_from = found.value().id;
    }
    // First the lock: two processes must not even open the same disk.
    auto lock = MachineLock::take(name);
    if (!lock)
        return lock.error();
    auto session = MachineSession::open(definition.value(), factory);
    if (!session)
        return session.error();
    auto server = ControlServer::listen(*session.value(), writePicture, std::move(lock.value()));
    if (!server)
        return server.error();
    return std::unique_ptr<HostedMachine>(
        new HostedMachine(library, std::move(session.value()), std::move(server.value()), std::move(writePicture)));
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
