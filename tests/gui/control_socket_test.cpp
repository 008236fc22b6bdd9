#include <atomic>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QJsonDocument>
#include <QtTest>

#include "app/session/control_socket.h"
#include "app/session/hosted_machine.h"
#include "tests/gui/fake_machine.h"

class ControlSocketTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_runtime;
    std::unique_ptr<FakeSession> m_fake;
    std::unique_ptr<app::ControlServer> m_server;

    static engine::Result<void> writePicture(const engine::Frame&, const QString& path)
    {
        QFile file(path);
        if (!file.open(QIODevice::WriteOnly))
            return engine::Error{"no", {}, {}};
        return {};
    }

    // What the server answers to these bytes, a line each.
    QList<QJsonDocument> talk(const QByteArray& bytes, int lines)
    {
        QLocalSocket socket;
        socket.connectToServer(app::socketPath("test").value());
        socket.write(bytes);
        QList<QJsonDocument> answers;
        QByteArray all;
        (void)QTest::qWaitFor(
            [&] {
                all += socket.readAll();
                return all.count('\n') >= lines;
            },
            3000);
        for (const QByteArray& line : all.split('\n'))
            if (!line.isEmpty())
                answers.append(QJsonDocument::fromJson(line));
        return answers;
    }
    int errorOf(const QByteArray& bytes)
    {
        const auto answers = talk(bytes, 1);
        return answers.isEmpty() ? 0 : answers.first().object().value("error").toObject().value("code").toInt();
    }
    // The blocking client, as the command line uses it, while this thread serves.
    engine::Result<QJsonValue> call(const QString& method, const QJsonObject& params = {})
    {
        std::optional<engine::Result<QJsonValue>> answer;
        std::atomic<bool> done = false;
        std::thread client([&] {
            answer = app::callMachine("test", method, params, std::chrono::seconds(5));
            done = true;
        });
        (void)QTest::qWaitFor([&] { return done.load(); }, 6000);
        client.join();
        return *answer;
    }

private slots:
    void init()
    {
        m_runtime = std::make_unique<QTemporaryDir>();
        qputenv("XDG_RUNTIME_DIR", m_runtime->path().toLocal8Bit());
        m_fake = std::make_unique<FakeSession>();
        auto server = app::ControlServer::listen(*m_fake->session, &ControlSocketTest::writePicture);
        QVERIFY(server);
        m_server = std::move(server.value());
    }
    void cleanup()
    {
        m_server.reset();
        m_fake.reset();
    }

    void answersInfo()
    {
        m_fake->session->start();
        const auto info = call("info");
        QVERIFY(info);
        const QJsonObject object = info.value().toObject();
        QCOMPARE(object.value("name").toString(), QString("test"));
        QCOMPARE(object.value("state").toString(), QString("running"));
        QCOMPARE(object.value("accelerator").toString(), QString("translator"));
        QCOMPARE(object.value("pid").toInt(), int(::getpid()));
    }

    void waitsForAMachineThatIsJustStarting()
    {
        m_server.reset();
        auto lock = app::MachineLock::take("test");
        QVERIFY(lock);
        QTimer::singleShot(100, this, [&] {
            m_server = std::move(
                app::ControlServer::listen(*m_fake->session, &ControlSocketTest::writePicture, std::move(lock.value())).value());
        });
        QVERIFY(call("info"));
        QVERIFY(m_server);
    }

    void waitsUntilAMachineHasBegun()
    {
        std::atomic<bool> done = false, begun = false;
        std::thread client([&] {
            begun = app::waitUntilBegun("test");
            done = true;
        });
        QTimer::singleShot(100, this, [&] { m_fake->session->start(); });
        (void)QTest::qWaitFor([&] { return done.load(); }, 6000);
        client.join();
        QVERIFY(begun);
        QVERIFY(m_fake->session->state() == engine::MachineState::running);
        m_server.reset();
        QVERIFY(!app::waitUntilBegun("test"));
    }

    void carriesCommands()
    {
        QVERIFY(call("pause"));
        QVERIFY(m_fake->machine->current == engine::MachineState::paused);
        QVERIFY(call("resume"));
        QVERIFY(call("reset"));
        QVERIFY(call("stop"));
        QCOMPARE(m_fake->machine->said, (QStringList{"reset", "power button"}));
        QVERIFY(call("stop", {{"force", true}}));
        QVERIFY(m_fake->machine->current == engine::MachineState::stopped);
    }

    void typesBeforeItAnswers()
    {
        QVERIFY(call("type", {{"text", "ab"}}));
        QCOMPARE(m_fake->machine->keys, app::typedText("ab").value());
        QVERIFY(call("key", {{"combo", "ctrl-alt-delete"}}));
        QCOMPARE(m_fake->machine->keys.size(), size_t(10));
        const auto refused = call("key", {{"combo", "banana"}});
        QVERIFY(!refused);
        QVERIFY(QString::fromStdString(refused.error().what).contains("banana"));
    }

    void showsTheScreen()
    {
        QCOMPARE(call("screen_text").value().toObject().value("text").toString(), QString("A:\\>"));
        QVERIFY(!call("screenshot", {{"path", m_runtime->filePath("a.png")}}));
        m_fake->machine->show(8, 4, 0xff00ff00);
        const auto taken = call("screenshot", {{"path", m_runtime->filePath("a.png")}});
        QVERIFY(taken);
        QCOMPARE(taken.value().toObject().value("width").toInt(), 8);
        QVERIFY(QFileInfo::exists(m_runtime->filePath("a.png")));
        QVERIFY(!call("screenshot", {{"path", "relative.png"}}));
    }

    void changesDiscs()
    {
        QVERIFY(call("change_cdrom", {{"path", "/some.iso"}}));
        QCOMPARE(m_fake->session->cdrom(), QString("/some.iso"));
        const auto missing = call("change_cdrom", {{"path", "/missing.iso"}});
        QVERIFY(!missing);
        QCOMPARE(missing.error().why, std::string("there is no such file"));
        QCOMPARE(m_fake->session->cdrom(), QString("/some.iso"));
    }

    void refusesBadMessages_data()
    {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<int>("code");
        QTest::newRow("no JSON") << QByteArray("hello\n") << -32700;
        QTest::newRow("half") << QByteArray("{\"jsonrpc\":\n") << -32700;
        QTest::newRow("deep") << QByteArray(100000, '[') + '\n' << -32700;
        QTest::newRow("no version") << QByteArray(R"({"id":1,"method":"info"})"
                                                  "\n")
                                    << -32600;
        QTest::newRow("no method") << QByteArray(R"({"jsonrpc":"2.0","id":1})"
                                                 "\n")
                                   << -32600;
        QTest::newRow("odd id") << QByteArray(R"({"jsonrpc":"2.0","id":[],"method":"info"})"
                                              "\n")
                                << -32600;
        QTest::newRow("empty batch") << QByteArray("[]\n") << -32600;
        QTest::newRow("unknown") << QByteArray(R"({"jsonrpc":"2.0","id":1,"method":"explode"})"
                                               "\n")
                                 << -32601;
        QTest::newRow("array") << QByteArray(R"({"jsonrpc":"2.0","id":1,"method":"stop","params":[true]})"
                                             "\n")
                               << -32602;
        QTest::newRow("type") << QByteArray(R"({"jsonrpc":"2.0","id":1,"method":"stop","params":{"force":"yes"}})"
                                            "\n")
                              << -32602;
        QTest::newRow("missing") << QByteArray(R"({"jsonrpc":"2.0","id":1,"method":"type","params":{}})"
                                               "\n")
                                 << -32602;
        QTest::newRow("too long") << QByteArray(3 * 1024 * 1024, 'x') << -32600;
    }
    void refusesBadMessages()
    {
        QFETCH(QByteArray, bytes);
        QFETCH(int, code);
        QCOMPARE(errorOf(bytes), code);
        QVERIFY(call("info"));    // and is still there
    }

    void answersBatchesAndIgnoresNotifications()
    {
        const auto answers = talk(
            R"([{"jsonrpc":"2.0","method":"reset"},{"jsonrpc":"2.0","id":"a","method":"info"},7])"
            "\n",
            1);
        QCOMPARE(answers.size(), 1);
        QCOMPARE(answers.first().array().size(), 2);
        QCOMPARE(answers.first().array().at(0).toObject().value("id").toString(), QString("a"));
        QCOMPARE(m_fake->machine->said, QStringList{"reset"});
    }

    void tellsWatchersOfChanges()
    {
        app::ControlLink link("test");
        QTRY_COMPARE(link.state(), QString("created"));
        m_fake->session->start();
        QTRY_COMPARE(link.state(), QString("running"));
        m_server.reset();
        QTRY_COMPARE(link.state(), QString());
    }

    void refusesASecondServer()
    {
        QVERIFY(app::isMachineRunning("test"));
        QVERIFY(!app::isMachineRunning("other"));
        FakeSession second;
        const auto refused = app::ControlServer::listen(*second.session, &ControlSocketTest::writePicture);
        QVERIFY(!refused);
        QVERIFY(QString::fromStdString(refused.error().what).contains("running already"));
        m_server.reset();
        QVERIFY(!app::isMachineRunning("test"));
        QVERIFY(app::ControlServer::listen(*second.session, &ControlSocketTest::writePicture));
    }

    void removesStaleSockets()
    {
        m_server.reset();
        QFile stale(app::socketPath("test").value());
        QVERIFY(stale.open(QIODevice::WriteOnly));
        auto server = app::ControlServer::listen(*m_fake->session, &ControlSocketTest::writePicture);
        QVERIFY(server);
        m_server = std::move(server.value());
        QVERIFY(call("info"));
    }

    void saysWhenNothingRuns()
    {
        const auto refused = app::callMachine("nobody", "info");
        QVERIFY(!refused);
        QVERIFY(QString::fromStdString(refused.error().what).contains("not running"));
        QVERIFY(!app::callMachine("../x", "info"));
    }

    void distrustsForeignFolders()
    {
        m_server.reset();
        const QByteArray folder = m_runtime->filePath("paddock").toLocal8Bit();
        ::chmod(folder, 0755);
        QVERIFY(!app::socketFolder());
        ::chmod(folder, 0700);
        QVERIFY(app::socketFolder());
    }

    void fitsLongNamesIntoAddresses()
    {
        QVERIFY(app::socketPath(QString(64, u'\u20ac')).value().toUtf8().size() < 108);
        QVERIFY(app::socketPath(QString(64, u'\u20ac')).value() != app::socketPath(QString(63, u'\u20ac')).value());
    }

    void hostsAMachineOfTheLibrary()
    {
        m_server.reset();
        QTemporaryDir root;
        app::MachineLibrary library(root.path());
        app::NewMachine made;
        made.definition.name = "kept";
        made.definition.memory_mib = 64;
        QVERIFY(library.create(made));
        FakeSession fake;
        {
            auto hosted = app::HostedMachine::open(library, "kept", &ControlSocketTest::writePicture, fake.factory());
            QVERIFY(hosted);
            QVERIFY(app::isMachineRunning("kept"));
            fake.machine->show(8, 8, 0);
            QVERIFY(hosted.value()->session().changeCdrom("/new.iso"));
        }
        QVERIFY(!app::isMachineRunning("kept"));
        QVERIFY(QFileInfo::exists(library.screenPicture("kept")));
        QCOMPARE(library.find("kept").value().cdrom, std::string("/new.iso"));
        QVERIFY(!app::HostedMachine::open(library, "nobody", &ControlSocketTest::writePicture, fake.factory()));
    }
};

QTEST_GUILESS_MAIN(ControlSocketTest)
#include "control_socket_test.moc"
