// Paddock's entry: arguments in, exit code out. The one file that knows every part.
//
//     paddock [--demo] [FILE.iso]   the library window
//     paddock run NAME              one machine, in this process
//     paddock boot …                a machine that is not kept
//     paddock COMMAND …             carried out by way of the library and the control socket

#include <csignal>
#include <cstdio>
#include <memory>

#include <QApplication>
#include <QIcon>
#include <QLibraryInfo>
#include <QLocale>
#include <QTranslator>

#include "app/command_line/boot_plan.h"
#include "app/command_line/boot_run.h"
#include "app/command_line/commands.h"
#include "app/command_line/display_check.h"
#include "app/command_line/host_trouble.h"
#include "app/command_line/output.h"
#include "app/command_line/termination.h"
#include "app/session/automatic_points.h"
#include "app/session/hosted_machine.h"
#include "app/settings/settings.h"
#include "display/screenshot.h"
#include "ui/library/library_window.h"
#include "ui/library/machine_process.h"
#include "ui/machine/machine_window.h"
#include "ui/snapshots/clone_sheet.h"

namespace app {
namespace {

// Paddock's own words, and those of Qt's dialogs where its translations are installed.
void speakTheirLanguage(QCoreApplication& application)
{
    for (const auto& [name, folder] :
         {std::pair{QStringLiteral("paddock"), QStringLiteral(":/translations")},
          std::pair{QStringLiteral("qtbase"), QLibraryInfo::path(QLibraryInfo::TranslationsPath)}}) {
        auto translator = std::make_unique<QTranslator>(&application);
        if (translator->load(QLocale(), name, QStringLiteral("_"), folder))
            QCoreApplication::installTranslator(translator.release());
    }
}

// A machine without a window needs no Qt platform, so it gets no QApplication.
std::unique_ptr<QCoreApplication> makeApplication(int& argc, char** argv, bool windows)
{
    if (!windows)
        return std::make_unique<QCoreApplication>(argc, argv);
    auto application = std::make_unique<QApplication>(argc, argv);
    speakTheirLanguage(*application);
    QApplication::setWindowIcon(QIcon::fromTheme("paddock", QIcon(":/icons/paddock.svg")));
    QApplication::setDesktopFileName("paddock");
    return application;
}

int showLibrary(int& argc, char** argv, const QStringList& words)
{
    if (const auto display = checkDisplay(); !display)
        return refuse(display.error());
    const auto application = makeApplication(argc, argv, true);
    MachineLibrary library;
    Settings settings;
    ui::LibraryWindow window(library, settings);
    window.show();
    for (const QString& word : words) {
        if (word == "--demo")
            window.startDemo();
        else
            window.offerFile(word);
    }
    return QCoreApplication::exec();
}

int exitCodeOf(const MachineSession& session)
{
    const auto& reason = session.stopReason();
    if (!reason || reason->kind != engine::StopReason::Kind::crashed)
        return reason && reason->kind == engine::StopReason::Kind::guest_exit ? reason->exit_code : succeeded;
    std::fprintf(stderr, "paddock: The guest crashed: %s\n", reason->text.c_str());
    return BootRun::stopped_early;
}

int runMachine(int& argc, char** argv, const QStringList& words)
{
    const auto arguments = Arguments::parse(runCommand(), words);
    if (!arguments)
        return refuse(arguments.error());
    const bool headless = arguments.value().has("--headless");
    if (const auto display = checkDisplay(); !headless && !display)
        return refuse(display.error());
    const auto application = makeApplication(argc, argv, !headless);
    const MachineLibrary library;
    Settings settings;
    auto machine = HostedMachine::open(
        library, arguments.value().positional(0), &display::savePicture, &engine::Machine::create,
        {.from = arguments.value().value("--from").value_or(QString()),
         .keep = arguments.value().has("--keep"),
         .trial = arguments.value().has("--try")});
    if (!machine)
        return refuse(machine.error());
    MachineSession& session = machine.value()->session();
    std::unique_ptr<ui::MachineWindow> window;
    std::unique_ptr<SnapshotShelf> shelf;    // without a window that has its own
    std::unique_ptr<AutomaticPoints> points;
    if (headless) {
        sayAndRetryTrouble(session);
        shelf = std::make_unique<SnapshotShelf>(session);
        points = std::make_unique<AutomaticPoints>(*shelf, session);
        points->follow(settings);
        QObject::connect(&session, &MachineSession::stopped, application.get(), &QCoreApplication::quit, Qt::QueuedConnection);
    } else {
        window = std::make_unique<ui::MachineWindow>(
            session, settings, nullptr, session.isTrial() ? &engine::SnapshotTree::open_of_trial : &engine::SnapshotTree::open);
        QObject::connect(
            window.get(), &ui::MachineWindow::trialWanted, window.get(), [&window, name = session.name()](const QString& id) {
                ui::startMachineProcess(
                    QCoreApplication::applicationFilePath(), name, {"--try", "--from", id}, window.get(),
                    [&window](const engine::Error& error) { window->messages().say(error); });
            });
        QObject::connect(window.get(), &ui::MachineWindow::cloneWanted, window.get(), [&](const QString& id) {
            ui::offerClone(library, arguments.value().positional(0), id, window->messages(), window.get());
        });
        window->show();
    }
    const Termination termination;
    QObject::connect(&termination, &Termination::asked, application.get(), &QCoreApplication::quit);
    session.start();
    QCoreApplication::exec();
    return exitCodeOf(session);
}

int bootMachine(int& argc, char** argv, const QStringList& words)
{
    const auto arguments = Arguments::parse(bootCommand(), words);
    if (!arguments)
        return refuse(arguments.error());
    auto plan = bootPlan(arguments.value());
    if (!plan)
        return refuse(plan.error());
    if (const auto display = checkDisplay(); !plan->headless && !display)
        return refuse(display.error());
    const auto application = makeApplication(argc, argv, !plan->headless);
    auto serial = SerialSink::open(plan->serial);
    if (!serial)
        return refuse(serial.error());
    auto session = MachineSession::open(plan->definition);
    if (!session)
        return refuse(session.error());
    Settings settings;
    std::unique_ptr<ui::MachineWindow> window;
    if (plan->headless) {
        sayAndRetryTrouble(*session.value());
    } else {
        window = std::make_unique<ui::MachineWindow>(*session.value(), settings);
        window->show();
        // The steps decide when it is over, not the last window.
        QGuiApplication::setQuitOnLastWindowClosed(false);
    }
    BootRun run(*session.value(), *plan, std::move(*serial), &display::savePicture);
    QObject::connect(
        &run, &BootRun::finished, application.get(),
        [](int exitCode, const QString& report) {
            std::fputs(report.toUtf8().constData(), stderr);
            QCoreApplication::exit(exitCode);
        },
        Qt::QueuedConnection);
    const Termination termination;
    QObject::connect(&termination, &Termination::asked, &run, &BootRun::end);
    run.start();
    return QCoreApplication::exec();
}

const Command* commandNamed(const QString& name)
{
    return name == "run" ? &runCommand() : name == "boot" ? &bootCommand() : nullptr;
}

int runProgram(int& argc, char** argv)
{
    QStringList words;
    for (int i = 1; i < argc; ++i)
        words += QString::fromLocal8Bit(argv[i]);
    QCoreApplication::setApplicationName("paddock");
    QCoreApplication::setApplicationVersion(PADDOCK_VERSION);
    const QString first = words.value(0);
    if (first.isEmpty() || first == "--demo" || first.contains('/') || first.contains('.'))
        return showLibrary(argc, argv, words);
    if (first == "--version") {
        say("paddock " PADDOCK_VERSION);
        return succeeded;
    }
    if (first == "--help" || first == "-h" || first == "help") {
        say(overview());
        return succeeded;
    }
    if (const Command* command = commandNamed(first); command && (words.value(1) == "--help" || words.value(1) == "-h")) {
        say(command->help());
        return succeeded;
    }
    if (first == "run")
        return runMachine(argc, argv, words.mid(1));
    if (first == "boot")
        return bootMachine(argc, argv, words.mid(1));
    const auto application = makeApplication(argc, argv, false);
    return carryOut(words);
}

}
}

int main(int argc, char** argv)
{
    std::signal(SIGPIPE, SIG_IGN);
    return app::runProgram(argc, argv);
}
