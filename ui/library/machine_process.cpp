#include "ui/library/machine_process.h"

#include <memory>

#include <unistd.h>

#include <QCoreApplication>
#include <QProcess>
#include <QRegularExpression>

#include "app/library/problem.h"

namespace ui {

namespace {

constexpr qsizetype most_words = 4096;    // bytes of what the process said last

struct MachineProcessWords {
    Q_DECLARE_TR_FUNCTIONS(ui::MachineProcessWords)
};

}

void startMachineProcess(
    const QString& program, const QString& machine, const QStringList& options, QObject* context,
    const std::function<void(const engine::Error&)>& failed)
{
    // Without a parent and never destroyed while it runs, because ~QProcess kills. A session of its own keeps a terminal's
    // Ctrl+C for the library away from the machines.
    auto* process = new QProcess;
    auto words = std::make_shared<QByteArray>();
    process->setProgram(program);
    process->setArguments(QStringList{QStringLiteral("run"), machine} + options);
    process->setStandardInputFile(QProcess::nullDevice());
    process->setStandardOutputFile(QProcess::nullDevice());
    process->setChildProcessModifier([] { ::setsid(); });
    QObject::connect(process, &QProcess::readyReadStandardError, process, [process, words] {
        *words = (*words + process->readAllStandardError()).right(most_words);
    });
    QObject::connect(process, &QProcess::finished, context, [=](int code, QProcess::ExitStatus status) {
        static const QRegularExpression frill(QStringLiteral(R"(^\s*(paddock: )?|[.\s]*$)"));
        const QString said = QString::fromUtf8(*words).remove(frill);
        if (status == QProcess::CrashExit)
            failed(app::problem(
                MachineProcessWords::tr("“%1” has ended because Paddock crashed").arg(machine), said,
                MachineProcessWords::tr("What was on its disks is kept; start it again")));
        else if (code != 0)
            failed(app::problem(
                MachineProcessWords::tr("“%1” has ended with an error").arg(machine),
                said.isEmpty() ? MachineProcessWords::tr("it did not say why") : said));
    });
    QObject::connect(process, &QProcess::finished, process, &QObject::deleteLater);
    QObject::connect(process, &QProcess::errorOccurred, context, [=](QProcess::ProcessError error) {
        if (error != QProcess::FailedToStart)
            return;
        failed(app::problem(MachineProcessWords::tr("“%1” cannot be started").arg(machine), process->errorString()));
        process->deleteLater();
    });
    process->start();
}

}
