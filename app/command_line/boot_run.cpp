#include "app/command_line/boot_run.h"

#include <algorithm>

#include "app/library/problem.h"

namespace app {

namespace {
constexpr std::chrono::milliseconds look_again{100};
constexpr qint64 look_anyway = 1000;    // milliseconds
constexpr qsizetype most_unmatched = 256 * 1024;    // bytes of serial output searched
constexpr qsizetype most_last_words = 4 * 1024;
constexpr int last_lines = 25;

void keepEnd(QByteArray& bytes, qsizetype most)
{
    if (bytes.size() > most)
        bytes.remove(0, bytes.size() - most);
}

QString lastLines(const QString& text)
{
    QStringList lines = text.split('\n');
    while (!lines.isEmpty() && lines.back().trimmed().isEmpty())
        lines.removeLast();
    return lines.mid(std::max<qsizetype>(0, lines.size() - last_lines)).join('\n');
}

QString plainText(QByteArray bytes)
{
    bytes.replace("\r", "");
    return QString::fromUtf8(bytes);
}
}

BootRun::BootRun(MachineSession& session, BootPlan plan, std::unique_ptr<SerialSink> serial, PictureWriter writePicture)
    : m_session(session),
      m_plan(std::move(plan)),
      m_serial(std::move(serial)),
      m_writePicture(std::move(writePicture))
{
    connect(&session, &MachineSession::serialOutput, this, &BootRun::heard);
    connect(&session, &MachineSession::stopped, this, &BootRun::machineStopped);
    connect(&session, &MachineSession::typed, this, [this] {
        m_typing = false;
        work();
    });
    connect(m_serial.get(), &SerialSink::typed, &session, &MachineSession::serialInput);
    connect(m_serial.get(), &SerialSink::endWanted, this, &BootRun::end);
    connect(&m_look, &QTimer::timeout, this, &BootRun::work);
    connect(&m_timeout, &QTimer::timeout, this, &BootRun::timeIsUp);
    m_timeout.setSingleShot(true);
}

void BootRun::start()
{
    m_session.start();
    if (m_plan.timeout.count() > 0)
        m_timeout.start(m_plan.timeout);
    if (!m_plan.steps.empty()) {
        m_look.start(look_again);
        work();
    }
}

void BootRun::end()
{
    finish(stopped_early, {});
}

void BootRun::heard(const QByteArray& bytes)
{
    m_serial->write(bytes);
    m_lastSerial += bytes;
    keepEnd(m_lastSerial, most_last_words);
    if (m_step < m_plan.steps.size()) {
        m_unmatched += bytes;
        keepEnd(m_unmatched, most_unmatched);
    }
}

// Goes on as far as it can without waiting.
void BootRun::work()
{
    while (!m_finished && !m_typing && m_step < m_plan.steps.size()) {
        const BootStep& step = m_plan.steps[m_step];
        if (!met(step))
            return;
        ++m_step;
        m_seen.invalidate();
    }
    if (!m_finished && !m_typing && !m_plan.steps.empty())
        finish(all_met, {});
}

bool BootRun::met(const BootStep& step)
{
    switch (step.kind) {
    case BootStep::Kind::expectSerial:
        return metOnSerial(step.pattern);
    case BootStep::Kind::expectScreen:
        return metOnScreen(step.pattern);
    case BootStep::Kind::keys:
        break;
    }
    m_typing = !step.keys.empty();
    if (auto typing = m_session.type(step.keys); !typing) {
        finish(stopped_early, sentences(typing.error()));
        return false;
    }
    return true;
}

// Recognising letters in a picture takes its time, so an unchanged picture is not read again at once.
bool BootRun::metOnScreen(const QRegularExpression& pattern)
{
    const auto frame = m_session.frame();
    const quint64 number = frame ? frame->number : 0;
    if (m_seen.isValid() && number == m_seenFrame && !m_seen.hasExpired(look_anyway))
        return false;
    m_seenFrame = number;
    m_seen.start();
    return pattern.match(QString::fromStdString(m_session.screenText().rows)).hasMatch();
}

bool BootRun::metOnSerial(const QRegularExpression& pattern)
{
    const QString text = plainText(m_unmatched);
    const QRegularExpressionMatch match = pattern.match(text);
    if (!match.hasMatch())
        return false;
    m_unmatched = text.mid(match.capturedEnd()).toUtf8();
    return true;
}

void BootRun::machineStopped(const engine::StopReason& reason)
{
    using Kind = engine::StopReason::Kind;
    m_typing = false;
    work();    // what it said and showed last may be what was waited for
    if (reason.kind == Kind::guest_exit)
        return finish(reason.exit_code, {});
    if (reason.kind == Kind::crashed)
        return finish(
            stopped_early, "The guest crashed: " + QString::fromStdString(reason.text) + '\n' + unmetStep() + lastWords());
    if (m_plan.steps.empty())
        return finish(all_met, {});
    const QString what
        = reason.kind == Kind::powered_off ? "The guest switched itself off.\n" : "The machine was switched off.\n";
    finish(stopped_early, what + unmetStep() + lastWords());
}

void BootRun::timeIsUp()
{
    if (m_plan.screenshot.isEmpty())
        m_plan.screenshot = "paddock-timeout.png";
    const QString seconds = QString::number(double(m_plan.timeout.count()) / 1000);
    finish(
        timed_out,
        QString("The %1 seconds are up. The screen is in %2.\n").arg(seconds, m_plan.screenshot) + unmetStep() + lastWords());
}

void BootRun::finish(int exitCode, QString report)
{
    if (m_finished)
        return;
    m_finished = true;
    m_look.stop();
    m_timeout.stop();
    if (!m_plan.screenshot.isEmpty()) {
        const auto frame = m_session.frame();
        if (!frame)
            report += "There is no screenshot: the guest has shown nothing yet.\n";
        else if (const auto written = m_writePicture(*frame, m_plan.screenshot); !written)
            report += sentences(written.error()) + '\n';
    }
    m_serial->close();
    Q_EMIT finished(exitCode, report);
}

QString BootRun::unmetStep() const
{
    if (m_step >= m_plan.steps.size())
        return {};
    const BootStep& step = m_plan.steps[m_step];
    const QString verb = step.kind == BootStep::Kind::keys ? "--keys"
        : step.kind == BootStep::Kind::expectScreen        ? "--expect-screen"
                                                           : "--expect-serial";
    return QString("Step %1 of %2 was not met: %3 “%4”\n").arg(m_step + 1).arg(m_plan.steps.size()).arg(verb, step.written);
}

QString BootRun::lastWords()
{
    QString words;
    const auto add = [&](const QString& where, const QString& text) {
        if (!text.isEmpty())
            words += QString("--- the last of %1 ---\n").arg(where) + text + '\n';
    };
    add("the screen", lastLines(QString::fromStdString(m_session.screenText().rows)));
    add("the serial port", lastLines(plainText(m_lastSerial)));
    return words;
}

}
