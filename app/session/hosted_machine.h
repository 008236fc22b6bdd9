#pragma once
// What `paddock run NAME` hosts, with a window or without: the session of a machine of the library, its control socket
// and its last picture on disk.

#include <memory>

#include <QTimer>

#include "app/library/machine_library.h"
#include "app/session/control_socket.h"
#include "app/session/machine_session.h"

namespace app {

struct StartOptions {
    QString from;    // a snapshot's name or id, "power-on", or "" for a saved state where there is one
    bool keep = false;    // with a snapshot: what the machine is now becomes a snapshot first
    bool trial = false;    // beside the machine, see engine::MachineDefinition::trial; called trialName(name)
};

// “guest (trial)”: what a trial of “guest” is called at the control socket.
QString trialName(const QString& machine);
// The same where a trial of it runs and no machine of the library bears that name; else "".
QString runningTrialOf(const QString& machine, const MachineLibrary& library);

class HostedMachine : public QObject {
    Q_OBJECT

public:
    static engine::Result<std::unique_ptr<HostedMachine>> open(
        const MachineLibrary& library, const QString& name, PictureWriter writePicture,
        const MachineSession::Factory& factory = &engine::Machine::create, const StartOptions& options = {});
    ~HostedMachine() override;

    MachineSession& session() { return *m_session; }

private:
    static engine::Result<void> beginTrial(engine::MachineDefinition& definition, const StartOptions& options);
    static engine::Result<void> beginWith(engine::MachineDefinition& definition, const StartOptions& options);
    HostedMachine(
        const MachineLibrary& library, std::unique_ptr<MachineSession> session, std::unique_ptr<ControlServer> server,
        PictureWriter writer);
    void keepPicture();
    void keepDefinition();

    MachineLibrary m_library;
    std::unique_ptr<MachineSession> m_session;
    std::unique_ptr<ControlServer> m_server;
    PictureWriter m_writePicture;
    quint64 m_keptFrame = 0;
    QTimer m_pictureTimer;
};

}
