#pragma once
// Takes a machine through the steps of a plan. Lives on the session's thread.

#include <functional>
#include <memory>

#include <QElapsedTimer>
#include <QObject>
#include <QTimer>

#include "app/command_line/boot_plan.h"
#include "app/command_line/serial_sink.h"
#include "app/session/machine_session.h"

namespace app {

class BootRun : public QObject {
    Q_OBJECT

public:
    // Exit codes of the process.
    enum Outcome : int { all_met = 0, wrong_arguments = 2, timed_out = 3, stopped_early = 4 };
    using PictureWriter = std::function<engine::Result<void>(const engine::Frame&, const QString& path)>;

    BootRun(MachineSession& session, BootPlan plan, std::unique_ptr<SerialSink> serial, PictureWriter writePicture);

    void start();
    // As if the person had ended the machine: no step is met any more.
    void end();

Q_SIGNALS:
    // Once; the machine may still be running. `report` is for standard error, "" where all went well.
    void finished(int exitCode, const QString& report);

private:
    void heard(const QByteArray& bytes);
    void work();
    bool met(const BootStep& step);
    bool metOnScreen(const QRegularExpression& pattern);
    bool metOnSerial(const QRegularExpression& pattern);
    void machineStopped(const engine::StopReason& reason);
    void timeIsUp();
    void finish(int exitCode, QString report);
    QString unmetStep() const;
    QString lastWords();

    MachineSession& m_session;
    BootPlan m_plan;
    std::unique_ptr<SerialSink> m_serial;
    PictureWriter m_writePicture;
    size_t m_step = 0;
    bool m_typing = false;
    bool m_finished = false;
    QByteArray m_unmatched;    // from the serial port since the last match, bounded
    QByteArray m_lastSerial;    // the last of all, bounded
    quint64 m_seenFrame = 0;
    QElapsedTimer m_seen;    // since the screen was last read for the present step
    QTimer m_look, m_timeout;
};

}
