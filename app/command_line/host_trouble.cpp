#include "app/command_line/host_trouble.h"

#include <cstdio>
#include <memory>

#include <QTimer>

#include "app/library/problem.h"

namespace app {

namespace {
constexpr std::chrono::seconds pause_between_tries{5};
}

void sayAndRetryTrouble(MachineSession& session)
{
    auto said = std::make_shared<QString>();
    QObject::connect(&session, &MachineSession::needsAttention, &session, [&session, said](const engine::Error& error) {
        const QString text = sentences(error);
        if (std::exchange(*said, text) != text)
            std::fprintf(
                stderr, "paddock: %s The machine is paused and nothing is lost; it tries again every %d seconds.\n",
                text.toUtf8().constData(), int(pause_between_tries.count()));
        QTimer::singleShot(pause_between_tries, &session, [&session] { session.resume(); });
    });
}

}
