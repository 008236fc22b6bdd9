#include "app/command_line/termination.h"

#include <array>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <QSocketNotifier>

namespace app {

namespace {
constexpr std::array signals_caught{SIGINT, SIGTERM, SIGHUP};
// A signal handler may do little more than write to a pipe, and has nothing but globals to find it by.
int write_end = -1, read_end = -1;

void caught(int)
{
    const char byte = 0;
    [[maybe_unused]] const auto count = ::write(write_end, &byte, 1);
}
}

Termination::Termination(QObject* parent) : QObject(parent)
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
        return;
    read_end = ends[0];
    write_end = ends[1];
    connect(new QSocketNotifier(read_end, QSocketNotifier::Read, this), &QSocketNotifier::activated, this, [this] {
        char byte = 0;
        while (::read(read_end, &byte, 1) == 1) { }
        Q_EMIT asked();
    });
    struct sigaction action { };
    action.sa_handler = caught;
    action.sa_flags = SA_RESTART;
    for (const int signal : signals_caught)
        ::sigaction(signal, &action, nullptr);
}

Termination::~Termination()
{
    for (const int signal : signals_caught)
        ::signal(signal, SIG_DFL);
    ::close(read_end);
    ::close(write_end);
    read_end = write_end = -1;
}

}
