#pragma once
// How far a long command is.

#include <atomic>
#include <csignal>
#include <cstdio>

#include <unistd.h>

#include "engine/block/disk_tool.h"

namespace app {

inline std::atomic<bool> interrupted = false;

// Shows how far it is where a person looks on, and lets Ctrl-C stop it in order.
class Progress {
public:
    Progress() : m_shown(isatty(STDERR_FILENO) == 1)
    {
        interrupted = false;
        struct sigaction action { };
        action.sa_handler = [](int) { interrupted = true; };
        for (const int signal : {SIGINT, SIGTERM, SIGHUP})
            sigaction(signal, &action, nullptr);
    }
    ~Progress()
    {
        if (m_shown && m_percent >= 0)
            std::fputs("\r      \r", stderr);
        for (const int signal : {SIGINT, SIGTERM, SIGHUP})
            std::signal(signal, SIG_DFL);
    }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    engine::DiskProgress report()
    {
        return [this](double done) {
            const int percent = int(done * 100);
            if (m_shown && percent != m_percent)
                std::fprintf(stderr, "\r%3d %%", percent);
            m_percent = percent;
            return !interrupted.load();
        };
    }

private:
    bool m_shown;
    int m_percent = -1;
};

}
