#include "app/command_line/serial_sink.h"

#include <array>
#include <cerrno>
#include <cstdio>

#include <unistd.h>

#include "app/library/problem.h"

namespace app {

namespace {
constexpr char end_key = 0x1d;    // Ctrl-]
}

engine::Result<std::unique_ptr<SerialSink>> SerialSink::open(const QString& where)
{
    std::unique_ptr<SerialSink> sink(new SerialSink);
    if (where == "stdio") {
        sink->m_standardOutput = true;
        sink->useStandardInput();
    } else if (!where.isEmpty()) {
        sink->m_file.setFileName(where);
        if (!sink->m_file.open(QIODevice::WriteOnly | QIODevice::Truncate | QIODevice::Unbuffered))
            return problem(
                QString("The serial port cannot be written to “%1”").arg(where), sink->m_file.errorString(),
                "Choose another file, or “stdio”");
    }
    return sink;
}

SerialSink::~SerialSink()
{
    close();
}

void SerialSink::close()
{
    if (m_input)
        m_input->setEnabled(false);
    if (m_terminal)
        tcsetattr(STDIN_FILENO, TCSANOW, &*m_terminal);
    m_terminal.reset();
}

void SerialSink::useStandardInput()
{
    // A job in the background must not touch the terminal: it would be stopped.
    if (termios terminal{};
        isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp() && tcgetattr(STDIN_FILENO, &terminal) == 0) {
        m_terminal = terminal;
        terminal.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN);
        terminal.c_iflag &= ~tcflag_t(ICRNL | IXON);
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
        std::fputs("The serial port is on this terminal; Ctrl-] ends the machine.\n", stderr);
    } else if (isatty(STDIN_FILENO)) {
        return;
    }
    m_input = std::make_unique<QSocketNotifier>(STDIN_FILENO, QSocketNotifier::Read);
    connect(m_input.get(), &QSocketNotifier::activated, this, &SerialSink::readStandardInput);
}

void SerialSink::readStandardInput()
{
    std::array<char, 4096> buffer;
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (count <= 0) {
        m_input->setEnabled(false);
        return;
    }
    const QByteArray bytes(buffer.data(), count);
    if (const qsizetype end = m_terminal ? bytes.indexOf(end_key) : -1; end >= 0)
        Q_EMIT endWanted();
    else
        Q_EMIT typed(bytes);
}

void SerialSink::write(const QByteArray& bytes)
{
    if (m_file.isOpen())
        m_file.write(bytes);
    for (qsizetype done = 0; m_standardOutput && done < bytes.size();) {
        const ssize_t count = ::write(STDOUT_FILENO, bytes.data() + done, bytes.size() - done);
        if (count > 0)
            done += count;
        else if (errno != EINTR)
            m_standardOutput = false;    // nobody listens any more
    }
}

}
