#include "app/session/control_socket.h"

#include <unistd.h>

#include <QDir>
#include <QJsonArray>
#include <QJsonDocument>
#include <QPointer>

#include "app/library/definition_json.h"
#include "app/library/problem.h"

namespace app {

namespace {

// JSON-RPC 2.0, 5.1
enum RpcError : int {
    parse_error = -32700,
    invalid_request = -32600,
    method_not_found = -32601,
    invalid_params = -32602,
    refused = -32000,    // what the machine said; data holds what, why, what_to_do
};

QJsonObject errorObject(int code, const QString& message, const QJsonValue& data = QJsonValue::Undefined)
{
    QJsonObject error{{"code", code}, {"message", message}};
    if (!data.isUndefined())
        error.insert("data", data);
    return error;
}

QJsonObject errorObject(const engine::Error& error)
{
    const QJsonObject parts{
        {"what", QString::fromStdString(error.what)},
        {"why", QString::fromStdString(error.why)},
        {"what_to_do", QString::fromStdString(error.what_to_do)},
    };
    return errorObject(refused, sentences(error), parts);
}

QJsonObject envelope(const QJsonValue& id)
{
    return {{"jsonrpc", "2.0"}, {"id", id.isUndefined() ? QJsonValue() : id}};
}

QJsonObject failure(const QJsonValue& id, const QJsonObject& error)
{
    QJsonObject whole = envelope(id);
    whole.insert("error", error);
    return whole;
}

QJsonObject countsOf(const engine::TranslatorCounts& counts)
{
    return {
        {"blocks", double(counts.blocks)},
        {"guest_bytes", double(counts.guest_bytes)},
        {"host_bytes", double(counts.host_bytes)},
        {"nanoseconds", double(counts.nanoseconds)},
        {"runs", double(counts.runs)},
        {"runs_unlinked", double(counts.unlinked)},
        {"runs_asked_back", double(counts.requests)},
        {"runs_faulted", double(counts.faults)},
        {"runs_ended_otherwise", double(counts.others)},
        {"tlb_fills", double(counts.tlb_fills)},
        {"pages_dropped", double(counts.pages_dropped)},
        {"regions_emptied", double(counts.regions_emptied)},
        {"drops_of_all", double(counts.drops_of_all)},
    };
}

void sendLine(QLocalSocket* socket, const QJsonDocument& document)
{
    socket->write(document.toJson(QJsonDocument::Compact) + '\n');
}

}

struct ControlServer::Reply {
    QJsonObject result;
    std::optional<QJsonObject> error;
    std::optional<quint64> translationOf;    // answered when the machine has told
    QJsonArray Client::*later = nullptr;    // where the request waits for its answer

    Reply(const QJsonObject& value = {}) : result(value) { }
    Reply(const engine::Error& problem) : error(errorObject(problem)) { }
    static Reply wrong(int code, const QString& message)
    {
        Reply reply;
        reply.error = errorObject(code, message);
        return reply;
    }
};

QString stateName(engine::MachineState state)
{
    switch (state) {
    case engine::MachineState::created:
        return QStringLiteral("created");
    case engine::MachineState::running:
        return QStringLiteral("running");
    case engine::MachineState::paused:
        return QStringLiteral("paused");
    case engine::MachineState::stopped:
        return QStringLiteral("stopped");
    }
    return {};
}

engine::Result<std::unique_ptr<ControlServer>> ControlServer::listen(MachineSession& session, PictureWriter writePicture)
{
    auto lock = MachineLock::take(session.name());
    if (!lock)
        return lock.error();
    return listen(session, std::move(writePicture), std::move(lock.value()));
}

engine::Result<std::unique_ptr<ControlServer>>
ControlServer::listen(MachineSession& session, PictureWriter writePicture, MachineLock lock)
{
    const auto path = socketPath(session.name());
    if (!path)
        return path.error();
    std::unique_ptr<ControlServer> server(new ControlServer(session, std::move(writePicture), std::move(lock)));
    // The lock is ours, so what lies there was left by a process that died.
    QLocalServer::removeServer(path.value());
    if (!server->m_server.listen(path.value()))
        return problem(
            tr("“%1” cannot be reached from outside").arg(session.name()), server->m_server.errorString(),
            tr("Allow making a socket at %1").arg(path.value()));
    return server;
}

ControlServer::ControlServer(MachineSession& session, PictureWriter writePicture, MachineLock lock)
    : m_session(session),
      m_writePicture(std::move(writePicture)),
      m_lock(std::move(lock))
{
    connect(&m_server, &QLocalServer::newConnection, this, &ControlServer::accept);
    connect(&session, &MachineSession::stateChanged, this, &ControlServer::announce);
    connect(&session, &MachineSession::typed, this, [this] { answerAll(&Client::whenTyped, {}); });
    connect(&session, &MachineSession::snapshotTaken, this, [this](const engine::SnapshotInfo& snapshot) {
        answerAll(
            &Client::whenSaved,
            {{"id", QString::fromStdString(snapshot.id)},
             {"own_bytes", double(snapshot.own_bytes)},
             {"stopped_ms", double(m_session.stats().last_rest_nanoseconds) / 1e6}});
    });
    connect(&session, &MachineSession::snapshotFailed, this, [this](const engine::Error& error) {
        refuseAll(&Client::whenSaved, error);
    });
    connect(&session, &MachineSession::wentBack, this, [this](const QString& id) {
        answerAll(&Client::whenBack, {{"id", id}, {"stopped_ms", double(m_session.stats().last_rest_nanoseconds) / 1e6}});
    });
    connect(&session, &MachineSession::goingBackFailed, this, [this](const engine::Error& error) {
        refuseAll(&Client::whenBack, error);
    });
}

ControlServer::~ControlServer()
{
    close();
}

void ControlServer::close()
{
    m_server.close();
    for (QLocalSocket* socket : m_clients.keys()) {
        socket->disconnect(this);
        socket->flush();
        socket->deleteLater();
    }
    m_clients.clear();
}

void ControlServer::accept()
{
    while (QLocalSocket* socket = m_server.nextPendingConnection()) {
        if (m_clients.size() >= mostClients) {
            socket->abort();
            socket->deleteLater();
            continue;
        }
        m_clients.insert(socket, {});
        connect(socket, &QLocalSocket::readyRead, this, [this, socket] { read(socket); });
        connect(socket, &QLocalSocket::disconnected, this, [this, socket] {
            m_clients.remove(socket);
            socket->deleteLater();
        });
        read(socket);
    }
}

void ControlServer::read(QLocalSocket* socket)
{
    while (m_clients.contains(socket) && socket->isOpen() && socket->bytesAvailable() > 0) {
        if (m_clients[socket].deaf) {
            socket->readAll();
            continue;
        }
        QByteArray& unread = m_clients[socket].unread;
        unread += socket->read(longestMessage);
        qsizetype begin = 0;
        for (qsizetype end; (end = unread.indexOf('\n', begin)) >= 0; begin = end + 1)
            if (const QByteArray line = unread.mid(begin, end - begin).trimmed(); !line.isEmpty())
                answer(socket, line);
        unread.remove(0, begin);
        if (unread.size() > longestMessage) {
            unread.clear();
            m_clients[socket].deaf = true;
            sendLine(socket, QJsonDocument(failure({}, errorObject(invalid_request, tr("The message is longer than 1 MiB.")))));
        }
    }
}

void ControlServer::answer(QLocalSocket* socket, const QByteArray& line)
{
    QJsonParseError error;
    const QJsonDocument document = QJsonDocument::fromJson(line, &error);
    if (error.error != QJsonParseError::NoError) {
        sendLine(
            socket, QJsonDocument(failure({}, errorObject(parse_error, tr("This is not JSON: %1.").arg(error.errorString())))));
    } else if (document.isObject()) {
        const QJsonValue reply = answerOne(socket, document.object());
        if (reply.isObject())
            sendLine(socket, QJsonDocument(reply.toObject()));
    } else if (document.array().isEmpty()) {
        sendLine(socket, QJsonDocument(failure({}, errorObject(invalid_request, tr("The batch is empty.")))));
    } else {
        QJsonArray replies;
        for (const QJsonValue request : document.array())
            if (const QJsonValue reply = answerOne(socket, request); reply.isObject())
                replies.append(reply);
        if (!replies.isEmpty())
            sendLine(socket, QJsonDocument(replies));
    }
}

// Undefined where nothing is to be said now: to a notification, and to what is answered later.
QJsonValue ControlServer::answerOne(QLocalSocket* socket, const QJsonValue& request)
{
    const QJsonObject object = request.toObject();
    const QJsonValue id = object.value("id"), params = object.value("params");
    const bool idIsFit = id.isUndefined() || id.isNull() || id.isString() || id.isDouble();
    if (object.value("jsonrpc") != "2.0" || !object.value("method").isString() || !idIsFit)
        return failure(idIsFit ? id : QJsonValue(), errorObject(invalid_request, tr("This is not a JSON-RPC 2.0 request.")));

    const Reply reply = params.isUndefined() || params.isObject()
        ? call(socket, object.value("method").toString(), params.toObject())
        : Reply::wrong(invalid_params, tr("Parameters go by name, in an object."));
    if (id.isUndefined())
        return QJsonValue::Undefined;
    if (reply.error)
        return failure(id, *reply.error);
    if (reply.later) {
        (m_clients[socket].*reply.later).append(id);
        return QJsonValue::Undefined;
    }
    if (reply.translationOf) {
        sayTranslation(socket, id, *reply.translationOf);
        return QJsonValue::Undefined;
    }
    QJsonObject whole = envelope(id);
    whole.insert("result", reply.result);
    return whole;
}

void ControlServer::sayTranslation(QLocalSocket* socket, const QJsonValue& id, quint64 address)
{
    m_session.translationOf(address, [id, client = QPointer(socket)](const std::vector<engine::TranslatedBlock>& blocks) {
        if (!client)
            return;
        const auto inHex = [](const std::vector<engine::u8>& bytes) {
            return QString::fromLatin1(QByteArray(reinterpret_cast<const char*>(bytes.data()), qsizetype(bytes.size())).toHex());
        };
        QJsonArray told;
        for (const engine::TranslatedBlock& block : blocks) {
            QJsonArray starts;
            for (const auto& start : block.starts)
                starts.append(QJsonArray{double(start.guest), double(start.host)});
            told.append(QJsonObject{
                {"cpu", double(block.cpu)},
                {"bits", double(block.bits)},
                {"guest_address", QString::number(block.guest_address, 16)},
                {"host_address", QString::number(block.host_address, 16)},
                {"guest", inHex(block.guest)},
                {"host", inHex(block.host)},
                {"starts", starts},
            });
        }
        QJsonObject whole = envelope(id);
        whole.insert("result", QJsonObject{{"blocks", told}});
        sendLine(client, QJsonDocument(whole));
    });
}

ControlServer::Reply ControlServer::call(QLocalSocket* socket, const QString& method, const QJsonObject& params)
{
    const auto text = [&](const char* name) { return params.value(QLatin1String(name)); };
    const auto missing = [](const char* name) {
        return Reply::wrong(invalid_params, tr("The parameter “%1” is missing or of the wrong type.").arg(QLatin1String(name)));
    };
    using Act = void (MachineSession::*)();
    static constexpr std::pair<const char*, Act> acts[]{
        {"pause", &MachineSession::pause},
        {"resume", &MachineSession::resume},
        {"reset", &MachineSession::reset},
        {"merge_layers", &MachineSession::mergeLayers}};
    for (const auto& [name, act] : acts)
        if (method == QLatin1String(name)) {
            (m_session.*act)();
            return Reply();
        }
    if (method == "info")
        return info();
    if (method == "watch") {
        m_clients[socket].watching = true;
        return QJsonObject{{"state", stateName(m_session.state())}};
    }
    if (method == "stop") {
        if (const QJsonValue force = text("force"); !force.isUndefined() && !force.isBool())
            return missing("force");
        params.value("force").toBool() ? m_session.powerOff() : m_session.pressPowerButton();
        return Reply();
    }
    if (method == "screen_text") {
        const engine::ScreenText screen = m_session.screenText();
        return QJsonObject{{"text", QString::fromStdString(screen.rows)}, {"from_glyphs", screen.from_glyphs}};
    }
    if (method == "type")
        return text("text").isString() ? typeKeys(typedText(text("text").toString())) : missing("text");
    if (method == "key")
        return text("combo").isString() ? typeKeys(keyCombo(text("combo").toString())) : missing("combo");
    if (method == "screenshot")
        return text("path").isString() ? screenshot(text("path").toString()) : missing("path");
    if (method == "change_cdrom")
        return text("path").isString() ? changeCdrom(text("path").toString()) : missing("path");
    if (method == "debug_block") {
        Reply later;
        bool sound = false;
        later.translationOf = text("address").toString().toULongLong(&sound, 16);
        return sound ? later : missing("address");
    }
    if (method == "take_snapshot" || method == "go_back" || method == "save")
        return saveOrGoBack(method, params);
    return Reply::wrong(method_not_found, tr("There is no method “%1”.").arg(method.left(40)));
}

ControlServer::Reply ControlServer::screenshot(const QString& path)
{
    if (!QDir::isAbsolutePath(path))
        return Reply::wrong(invalid_params, tr("The picture's path must begin with a slash."));
    const auto frame = m_session.frame();
    if (!frame || !m_writePicture)
        return problem(
            tr("There is no picture to take"), tr("the machine has not shown anything yet"), tr("Try again in a moment"));
    if (const auto written = m_writePicture(*frame, path); !written)
        return written.error();
    return QJsonObject{{"width", double(frame->width)}, {"height", double(frame->height)}};
}

ControlServer::Reply ControlServer::typeKeys(const engine::Result<KeyEvents>& events)
{
    if (!events)
        return events.error();
    if (const auto accepted = m_session.type(events.value()); !accepted)
        return accepted.error();
    Reply reply;
    reply.later = &Client::whenTyped;
    return reply;
}

ControlServer::Reply ControlServer::changeCdrom(const QString& path)
{
    if (!path.isEmpty() && !QDir::isAbsolutePath(path))
        return Reply::wrong(invalid_params, tr("The image's path must begin with a slash."));
    if (const auto changed = m_session.changeCdrom(path); !changed)
        return changed.error();
    return Reply();
}

QJsonObject ControlServer::info() const
{
    const engine::MachineDefinition& definition = m_session.definition();
    const auto accelerator = m_session.accelerator();
    const auto stats = m_session.stats();
    const auto frame = m_session.frame();
    return {
        {"name", m_session.name()},
        {"state", stateName(m_session.state())},
        {"pid", double(::getpid())},
        {"accelerator", acceleratorName(accelerator.accelerator)},
        {"accelerator_reason", QString::fromStdString(accelerator.reason)},
        {"memory_mib", double(definition.memory_mib)},
        {"cpus", double(definition.cpus)},
        {"cdrom", m_session.cdrom()},
        {"width", frame ? double(frame->width) : 0},
        {"height", frame ? double(frame->height) : 0},
        {"instructions", double(stats.instructions)},
        {"guest_nanoseconds", double(stats.guest_nanoseconds)},
        {"translator", countsOf(stats.translator)},
    };
}

void ControlServer::announce(engine::MachineState state)
{
    const QJsonObject params{{"state", stateName(state)}};
    const QJsonDocument notification(QJsonObject{{"jsonrpc", "2.0"}, {"method", "state"}, {"params", params}});
    for (auto client = m_clients.begin(); client != m_clients.end(); ++client)
        if (client->watching)
            sendLine(client.key(), notification);
}

ControlServer::Reply ControlServer::saveOrGoBack(const QString& method, const QJsonObject& params)
{
    const auto words = [&](const char* name) { return params.value(QLatin1String(name)).toString().toStdString(); };
    const auto begun = method == "save" ? m_session.saveAndStop()
        : method == "go_back"           ? m_session.goBack(params.value("id").toString())
                                        : m_session.takeSnapshot({.name = words("name"), .note = words("note")});
    if (!begun)
        return begun.error();
    Reply reply;
    reply.later = method == "go_back" ? &Client::whenBack : &Client::whenSaved;
    return reply;
}

void ControlServer::answerAll(QJsonArray Client::*waiting, const QJsonObject& result)
{
    for (auto client = m_clients.begin(); client != m_clients.end(); ++client)
        for (const QJsonValue id : std::exchange(*client.*waiting, {})) {
            QJsonObject whole = envelope(id);
            whole.insert("result", result);
            sendLine(client.key(), QJsonDocument(whole));
        }
}

void ControlServer::refuseAll(QJsonArray Client::*waiting, const engine::Error& error)
{
    for (auto client = m_clients.begin(); client != m_clients.end(); ++client)
        for (const QJsonValue id : std::exchange(*client.*waiting, {}))
            sendLine(client.key(), QJsonDocument(failure(id, errorObject(error))));
}

}
