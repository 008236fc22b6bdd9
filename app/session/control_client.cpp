// The calling side of the control socket.

#include "app/session/control_socket.h"

#include <QDeadlineTimer>
#include <QJsonDocument>
#include <QThread>

#include "app/library/problem.h"

namespace app {

namespace {

QByteArray requestLine(int id, const QString& method, const QJsonObject& params)
{
    const QJsonObject request{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}};
    return QJsonDocument(request).toJson(QJsonDocument::Compact) + '\n';
}

engine::Error errorFrom(const QJsonObject& error)
{
    const QJsonObject data = error.value("data").toObject();
    if (data.contains("what"))
        return problem(data.value("what").toString(), data.value("why").toString(), data.value("what_to_do").toString());
    QString message = error.value("message").toString();
    if (message.endsWith(u'.'))
        message.chop(1);
    return problem(message);
}

constexpr std::chrono::seconds beginning_patience(20);    // from a machine's lock until it runs
constexpr std::chrono::seconds ending_patience(10);
constexpr unsigned long between_looks = 20;    // milliseconds

// A machine that has its lock but no socket yet is just starting; one whose socket is gone is just ending.
bool connectTo(QLocalSocket& socket, const QString& machine, const QString& path, const QDeadlineTimer& deadline)
{
    for (;;) {
        socket.connectToServer(path);
        if (socket.waitForConnected(int(deadline.remainingTime())))
            return true;
        if (deadline.hasExpired() || !isMachineRunning(machine))
            return false;
        QThread::msleep(between_looks);
    }
}

engine::Error notRunning(const QString& machine)
{
    return problem(
        app::ControlLink::tr("“%1” is not running").arg(machine), {}, app::ControlLink::tr("Start it with `paddock start`"));
}

engine::Error lost(const QString& machine, const QString& why)
{
    return problem(
        app::ControlLink::tr("“%1” has not answered").arg(machine), why,
        app::ControlLink::tr("Look at its window, or try again"));
}

}

engine::Result<QJsonValue>
callMachine(const QString& machine, const QString& method, const QJsonObject& params, std::chrono::milliseconds timeout)
{
    const auto path = socketPath(machine);
    if (!path)
        return path.error();
    QDeadlineTimer deadline(timeout);
    QLocalSocket socket;
    if (!connectTo(
            socket, machine, path.value(), QDeadlineTimer(std::min<std::chrono::milliseconds>(timeout, beginning_patience))))
        return notRunning(machine);
    socket.write(requestLine(1, method, params));
    QByteArray unread;
    while (!deadline.hasExpired()) {
        while (socket.canReadLine()) {
            const QJsonObject reply = QJsonDocument::fromJson(socket.readLine()).object();
            if (reply.value("id").toInt() != 1)
                continue;
            if (reply.contains("error"))
                return errorFrom(reply.value("error").toObject());
            return reply.value("result");
        }
        if (socket.state() != QLocalSocket::ConnectedState)
            return lost(machine, app::ControlLink::tr("it has ended"));
        socket.waitForReadyRead(int(deadline.remainingTime()));
    }
    return lost(machine, app::ControlLink::tr("the time is up"));
}

bool waitUntilBegun(const QString& machine)
{
    for (QDeadlineTimer deadline(beginning_patience); isMachineRunning(machine) && !deadline.hasExpired();) {
        const auto info = callMachine(machine, QStringLiteral("info"), {}, std::chrono::milliseconds(deadline.remainingTime()));
        if (info && info.value()["state"].toString() != stateName(engine::MachineState::created))
            return true;
        QThread::msleep(between_looks);
    }
    return false;
}

bool waitUntilEnded(const QString& machine)
{
    for (QDeadlineTimer deadline(ending_patience); isMachineRunning(machine) && !deadline.hasExpired();)
        QThread::msleep(between_looks);
    return !isMachineRunning(machine);
}

ControlLink::ControlLink(const QString& machine, QObject* parent) : QObject(parent), m_machine(machine)
{
    connect(&m_socket, &QLocalSocket::readyRead, this, &ControlLink::read);
    connect(&m_socket, &QLocalSocket::connected, this, [this] { send(QStringLiteral("watch")); });
    connect(&m_socket, &QLocalSocket::disconnected, this, [this] { setState({}); });
    lookForMachine();
}

ControlLink::~ControlLink()
{
    // The socket tells of its end, when the rest of this is gone.
    m_socket.disconnect(this);
}

void ControlLink::lookForMachine()
{
    if (m_socket.state() != QLocalSocket::UnconnectedState || !isMachineRunning(m_machine))
        return;
    if (const auto path = socketPath(m_machine))
        m_socket.connectToServer(path.value());
}

void ControlLink::send(const QString& method, const QJsonObject& params)
{
    if (m_socket.state() != QLocalSocket::ConnectedState)
        emit failed(notRunning(m_machine));
    else
        m_socket.write(requestLine(++m_lastId, method, params));
}

void ControlLink::read()
{
    while (m_socket.canReadLine()) {
        const QJsonObject message = QJsonDocument::fromJson(m_socket.readLine()).object();
        const QString key = message.contains("method") ? QStringLiteral("params") : QStringLiteral("result");
        if (message.contains("error"))
            emit failed(errorFrom(message.value("error").toObject()));
        else if (const QJsonValue state = message.value(key).toObject().value("state"); state.isString())
            setState(state.toString());
    }
}

void ControlLink::setState(const QString& state)
{
    if (std::exchange(m_state, state) != state)
        emit stateChanged(state);
}

}
