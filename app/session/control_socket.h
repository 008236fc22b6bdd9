#pragma once
// How a running machine is told what to do from outside: JSON-RPC 2.0, one message a line of UTF-8, over the socket
// $XDG_RUNTIME_DIR/paddock/NAME.sock (a private folder in /tmp where that variable is unset).
//
//     info                      {name, state, pid, accelerator, accelerator_reason, memory_mib, cpus, cdrom, width, height, …}
//     stop {force}              presses the power button; with force true pulls the plug
//     pause, resume, reset
//     screenshot {path}         writes a PNG, {width, height}
//     screen_text               {text, from_glyphs}
//     type {text}, key {combo}  answered when all is typed
//     change_cdrom {path}       "" ejects
//     debug_block {address}     {blocks}: what the translator made of the code at this hexadecimal linear address
//     take_snapshot {name, note}    answered when it is written: {id, own_bytes}
//     go_back {id}              to a snapshot; answered when it is done
//     save                      saves and stops; answered when it is written
//     watch                     from then on the notification state {state} on every change

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include <QHash>
#include <QJsonArray>
#include <QJsonObject>
#include <QLocalServer>
#include <QLocalSocket>
#include <QObject>

#include "app/session/machine_session.h"

namespace app {

// The folder of the sockets, made with mode 0700; an error where it cannot be had or belongs to somebody else.
engine::Result<QString> socketFolder();
// Short enough for a socket address, whatever the name.
engine::Result<QString> socketPath(const QString& machine);
bool isMachineRunning(const QString& machine);
QString stateName(engine::MachineState state);

// Holds a machine's name for this process: one process runs a machine at a time. Freed by the kernel however the
// process ends.
class MachineLock {
public:
    static engine::Result<MachineLock> take(const QString& machine);
    MachineLock(MachineLock&& other) noexcept : m_fd(std::exchange(other.m_fd, -1)) { }
    MachineLock& operator=(MachineLock&&) = delete;
    ~MachineLock();

private:
    explicit MachineLock(int fd) : m_fd(fd) { }
    int m_fd;
};

// Writes a frame as a picture; given from outside because pictures are display's.
using PictureWriter = std::function<engine::Result<void>(const engine::Frame&, const QString& path)>;

class ControlServer : public QObject {
    Q_OBJECT

public:
    static constexpr qsizetype longestMessage = 1024 * 1024;    // bytes
    static constexpr int mostClients = 32;

    // Takes the machine's lock and listens. A second server for the same machine is refused.
    static engine::Result<std::unique_ptr<ControlServer>> listen(MachineSession& session, PictureWriter writePicture);
    static engine::Result<std::unique_ptr<ControlServer>>
    listen(MachineSession& session, PictureWriter writePicture, MachineLock lock);
    ~ControlServer() override;

    // No more calls; the lock stays.
    void close();

private:
    struct Client {
        QByteArray unread;
        bool watching = false;
        bool deaf = false;    // sent what has no end; from then on ignored
        QJsonArray whenTyped;    // ids to answer when the keys are typed
        QJsonArray whenSaved, whenBack;    // when the snapshot is written, when the machine has gone back
    };
    struct Reply;

    ControlServer(MachineSession& session, PictureWriter writePicture, MachineLock lock);
    void accept();
    void read(QLocalSocket* socket);
    void answer(QLocalSocket* socket, const QByteArray& line);
    QJsonValue answerOne(QLocalSocket* socket, const QJsonValue& request);
    Reply call(QLocalSocket* socket, const QString& method, const QJsonObject& params);
    Reply screenshot(const QString& path);
    Reply typeKeys(const engine::Result<KeyEvents>& events);
    Reply changeCdrom(const QString& path);
    void sayTranslation(QLocalSocket* socket, const QJsonValue& id, quint64 address);
    QJsonObject info() const;
    void announce(engine::MachineState state);
    Reply saveOrGoBack(const QString& method, const QJsonObject& params);
    void answerAll(QJsonArray Client::*waiting, const QJsonObject& result);
    void refuseAll(QJsonArray Client::*waiting, const engine::Error& error);

    MachineSession& m_session;
    PictureWriter m_writePicture;
    MachineLock m_lock;
    QLocalServer m_server;
    QHash<QLocalSocket*, Client> m_clients;
};

// Calls a running machine and waits for its answer; for the command line. A machine that is just starting is waited for.
engine::Result<QJsonValue> callMachine(
    const QString& machine, const QString& method, const QJsonObject& params = {},
    std::chrono::milliseconds timeout = std::chrono::seconds(30));

// Waits, for some seconds at most, until a machine that is just starting can be saved and gone back in; false where it
// doesn't come to that or nobody runs it.
bool waitUntilBegun(const QString& machine);
// Waits, for some seconds at most, until nobody runs it any more; false where somebody still does.
bool waitUntilEnded(const QString& machine);

// The same as callMachine() without waiting, and with the machine's state as it changes; for windows. Reconnects until the machine is there.
class ControlLink : public QObject {
    Q_OBJECT

public:
    explicit ControlLink(const QString& machine, QObject* parent = nullptr);
    ~ControlLink() override;
    void send(const QString& method, const QJsonObject& params = {});
    QString state() const { return m_state; }    // "" while no process runs the machine

signals:
    void stateChanged(const QString& state);
    void failed(const engine::Error& error);

public slots:
    void lookForMachine();

private:
    void read();
    void setState(const QString& state);

    QString m_machine;
    QLocalSocket m_socket;
    QString m_state;
    int m_lastId = 0;
};

}
