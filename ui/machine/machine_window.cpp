#include "ui/machine/machine_window.h"

#include <algorithm>

#include <QApplication>
#include <QClipboard>
#include <QCloseEvent>
#include <QDateTime>
#include <QDesktopServices>
#include <QDir>
#include <QMenuBar>
#include <QScreen>
#include <QStandardPaths>
#include <QStatusBar>
#include <QUrl>
#include <QVBoxLayout>

#include "app/library/problem.h"
#include "display/screenshot.h"
#include "ui/machine/machine_keys.h"

namespace ui {

MachineWindow::MachineWindow(
    app::MachineSession& session, app::Settings& settings, QWidget* parent, const app::SnapshotShelf::TreeFactory& openTree)
    : QMainWindow(parent),
      m_session(session),
      m_settings(settings),
      m_view(new display::GuestView(display::Renderer(settings.get(app::setting::renderer)))),
      m_messages(new MessageBar)
{
    m_view->setAccessibleName(tr("Screen of %1").arg(session.name()));
    m_view->setHostShortcuts({full_screen_keys, capture_keys, screenshot_keys, take_keys, list_keys});
    auto* page = new QWidget;
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(m_messages);
    column->addWidget(m_view, 1);
    setCentralWidget(page);

    addMachineMenu();
    addMediaMenu();
    addKeysMenu();
    addViewMenu();
    arrangeStatusBar();
    if (session.hasSnapshots())
        addSnapshots(openTree);
    applySettings();

    connect(&session, &app::MachineSession::stateChanged, this, &MachineWindow::showState);
    connect(&session, &app::MachineSession::mediaChanged, this, &MachineWindow::showState);
    connect(&session, &app::MachineSession::stopped, this, &MachineWindow::showStopped);
    connect(&session, &app::MachineSession::needsAttention, this, [this](const engine::Error& error) {
        const QString text = tr("%1 The machine is paused; nothing is lost.").arg(app::sentences(error));
        m_messages->say(MessageBar::Tone::problem, text, tr("&Try again"), [this] { m_session.resume(); });
    });
    connect(&session, &app::MachineSession::frameReady, this, [this] { m_view->showFrame(m_session.frame()); });
    connect(&session, &app::MachineSession::diskActive, this, &MachineWindow::showDisk);
    connect(&session, &app::MachineSession::keyboardLeds, this, &MachineWindow::showLeds);
    connect(m_view, &display::GuestView::key, &session, &app::MachineSession::key);
    connect(m_view, &display::GuestView::pointer, &session, &app::MachineSession::pointer);
    connect(m_view, &display::GuestView::capturedChanged, this, &MachineWindow::showCapture);
    connect(m_view, &display::GuestView::guestSizeChanged, this, &MachineWindow::growTo);
    connect(m_view, &display::GuestView::leaveRequested, this, [this] {
        menuBar()->setFocus(Qt::OtherFocusReason);
        menuBar()->setActiveAction(menuBar()->actions().constFirst());
    });
    connect(m_view, &display::GuestView::upperEdgeTouched, this, [this] {
        if (isFullScreen())
            sayHowToLeaveFullScreen();
    });
    connect(&settings, &app::Settings::changed, this, &MachineWindow::applySettings);

    if (m_dock)
        restoreState(settings.windowGeometry(panes_key));
    m_sized = restoreGeometry(settings.windowGeometry(geometryKey()));
    if (!m_sized)
        adjustSize();
    m_ownSizes << size();
    m_view->showFrame(session.frame());
    m_view->setFocus();
    showState();
    showCapture(false);
}

QAction* MachineWindow::addCommand(QMenu* menu, const QString& text, const QKeySequence& shortcut, std::function<void()> command)
{
    QAction* action = menu->addAction(text, this, std::move(command));
    action->setShortcut(shortcut);
    // In full screen the menu bar is hidden, and a hidden menu's shortcuts are dead unless the window has them too.
    addAction(action);
    return action;
}

void MachineWindow::addMachineMenu()
{
    QMenu* menu = menuBar()->addMenu(tr("&Machine"));
    m_pause = addCommand(menu, tr("&Pause"), {}, [this] {
        m_session.state() == engine::MachineState::paused ? m_session.resume() : m_session.pause();
    });
    m_switches << m_pause << addCommand(menu, tr("&Reset"), {}, [this] { m_session.reset(); });
    menu->addSeparator();
    QAction* button = addCommand(menu, tr("Press power &button"), {}, [this] {
        m_session.pressPowerButton();
        m_messages->say(
            MessageBar::Tone::information, tr("The guest has been asked to shut down. Whether and when is up to it."));
    });
    QAction* off = addCommand(menu, tr("Power &off (force)…"), {}, [this] { askBeforeClosing(); });
    m_switches << button << off;
    menu->addSeparator();
    addCommand(menu, tr("Take &screenshot"), screenshot_keys, [this] { takeScreenshot(); });
    menu->addSeparator();
    addCommand(
        menu,
        m_session.isTrial()            ? tr("&End the trial…")
            : m_session.hasSnapshots() ? tr("Save and &close")
                                       : tr("&Close"),
        {}, [this] { close(); });
}

void MachineWindow::addMediaMenu()
{
    QMenu* menu = menuBar()->addMenu(tr("&Discs"));
    m_switches << addCommand(menu, tr("&Insert CD or DVD image…"), {}, [this] { insertDisc(); });
    m_eject = addCommand(menu, tr("&Eject CD or DVD"), {}, [this] { report(m_session.changeCdrom({})); });
    menu->addSeparator();
    m_switches << addCommand(menu, tr("Insert &floppy image…"), {}, [this] { insertFloppy(); });
    m_switches << addCommand(menu, tr("Eject f&loppy"), {}, [this] { report(m_session.changeFloppy({})); });
}

void MachineWindow::addKeysMenu()
{
    QMenu* menu = menuBar()->addMenu(tr("&Keys"));
    const auto addCombo = [&](const QString& text, const QString& combo) {
        m_switches << addCommand(menu, text, {}, [this, combo] {
            m_view->releaseKeys();
            if (const auto events = app::keyCombo(combo))
                report(m_session.type(events.value()));
            m_view->setFocus();
        });
    };
    addCombo(tr("Send Ctrl+Alt+&Del"), QStringLiteral("ctrl-alt-delete"));
    addCombo(tr("Send Ctrl+Alt+&Backspace"), QStringLiteral("ctrl-alt-backspace"));
    addCombo(tr("Send &Print Screen"), QStringLiteral("print"));
    for (int number = 1; number <= 6; ++number)
        addCombo(tr("Send Ctrl+Alt+F&%1").arg(number), QStringLiteral("ctrl-alt-f%1").arg(number));
    menu->addSeparator();
    m_switches << addCommand(menu, tr("&Type the clipboard's text"), {}, [this] { typeClipboard(); });
    menu->addSeparator();
    m_capture = addCommand(menu, tr("&Capture the pointer"), capture_keys, [this] { m_view->toggleCapture(); });
    m_capture->setCheckable(true);
    QMenu* release = menu->addMenu(tr("&Free it with"));
    addChoices(
        release, app::setting::release_key,
        {{app::choice::ReleaseKey::ctrlAlt, tr("&Ctrl+Alt")}, {app::choice::ReleaseKey::rightCtrl, tr("&Right Ctrl")}});
}

void MachineWindow::addViewMenu()
{
    using app::choice::Filter;
    using app::choice::Scaling;
    QMenu* menu = menuBar()->addMenu(tr("&View"));
    m_fullScreen = addCommand(menu, tr("&Full screen"), full_screen_keys, [this] { toggleFullScreen(); });
    m_fullScreen->setCheckable(true);
    menu->addSeparator();
    addChoices(
        menu, app::setting::scaling,
        {{Scaling::fit, tr("Fit the &window")},
         {Scaling::integer, tr("W&hole multiples only")},
         {Scaling::native, tr("&One to one")}});
    menu->addSeparator();
    addChoices(
        menu, app::setting::filter,
        {{Filter::sharp, tr("S&harp edges")}, {Filter::smooth, tr("&Smooth")}, {Filter::nearest, tr("&Nearest pixel")}});
}

void MachineWindow::arrangeStatusBar()
{
    m_accelerator = new QToolButton;
    m_accelerator->setAutoRaise(true);
    connect(m_accelerator, &QToolButton::clicked, this, &MachineWindow::explainAccelerator);
    m_captureHint = new QLabel;
    m_leds = new QLabel;
    m_leds->setAccessibleName(tr("Keyboard lamps"));
    m_diskLamp = new ActivityLamp(tr("Disk"), tr("Hard disk"));
    m_cdLamp = new ActivityLamp(tr("CD"), tr("CD or DVD drive"));
    m_floppyLamp = new ActivityLamp(tr("Floppy"), tr("Floppy drive"));
    statusBar()->addWidget(m_captureHint, 1);
    for (QWidget* widget : std::initializer_list<QWidget*>{m_leds, m_diskLamp, m_cdLamp, m_floppyLamp, m_accelerator})
        statusBar()->addPermanentWidget(widget);
}

void MachineWindow::applySettings()
{
    const bool rightCtrl = m_settings.get(app::setting::release_key) == app::choice::ReleaseKey::rightCtrl;
    m_view->setReleaseKeys(rightCtrl ? display::ReleaseGesture::Keys::rightCtrl : display::ReleaseGesture::Keys::ctrlAlt);
    m_view->setFilter(display::Filter(m_settings.get(app::setting::filter)));
    m_view->setScaling(display::Scaling(m_settings.get(app::setting::scaling)));
    showCapture(m_view->isCaptured());
    applySnapshotSettings();
}

void MachineWindow::showState()
{
    const engine::MachineState state = m_session.state();
    const bool paused = state == engine::MachineState::paused;
    const bool off = m_over || state == engine::MachineState::stopped;
    m_pause->setText(paused ? tr("&Continue") : tr("&Pause"));
    for (QAction* action : m_switches)
        action->setEnabled(!off);
    showPanes();
    m_eject->setEnabled(!off && !m_session.cdrom().isEmpty());
    m_view->setDimmed(paused || off);
    const QString condition = off ? tr(" (off)") : paused ? tr(" (paused)") : QString();
    setWindowTitle(tr("%1%2 – Paddock").arg(m_session.name(), condition));

    const auto accelerator = m_session.accelerator();
    m_accelerator->setText(
        accelerator.accelerator == engine::Accelerator::kvm               ? tr("KVM")
            : accelerator.accelerator == engine::Accelerator::interpreter ? tr("Interpreter")
                                                                          : tr("Translator"));
    const QString reason = QString::fromStdString(accelerator.reason);
    m_accelerator->setToolTip(reason);
    m_accelerator->setAccessibleName(tr("Runs with: %1").arg(m_accelerator->text()));
    m_accelerator->setAccessibleDescription(reason);
    m_cdLamp->setToolTip(m_session.cdrom().isEmpty() ? tr("CD or DVD drive, empty") : m_session.cdrom());
}

void MachineWindow::showStopped(const engine::StopReason& reason)
{
    m_over = true;
    showState();
    if (m_question)
        m_question->close();
    if (m_session.isTrial() && reason.kind == engine::StopReason::Kind::powered_off)
        return askWhatBecomesOfTheTrial();
    if (reason.kind != engine::StopReason::Kind::crashed) {
        close();
        return;
    }
    m_view->releaseKeys();
    const QString why = QString::fromStdString(reason.text);
    m_messages->say(
        MessageBar::Tone::problem,
        tr("The machine has stopped because of an error: %1. What is on its disks is kept; what was only in its memory is lost. "
           "Close this window and start the machine again.")
            .arg(why.isEmpty() ? tr("the cause is unknown") : why),
        tr("Close"), [this] { close(); });
}

void MachineWindow::showCapture(bool captured)
{
    m_capture->setChecked(captured);
    m_captureHint->setText(captured ? m_view->releaseHint() : tr("Click the screen to capture the pointer"));
}

// Drives 0 to 3 are the IDE drives, the third of them optical; from 4 on floppy drives.
void MachineWindow::showDisk(unsigned drive, bool write)
{
    constexpr unsigned optical = 2, first_floppy = 4;
    (drive >= first_floppy ? m_floppyLamp : drive == optical ? m_cdLamp : m_diskLamp)->flash(write);
}

void MachineWindow::showLeds(quint8 leds)
{
    QStringList lit;
    const QString names[]{tr("Scroll"), tr("Num"), tr("Caps")};
    for (unsigned bit = 0; bit < 3; ++bit)
        if (leds >> bit & 1)
            lit << names[bit];
    m_leds->setText(lit.join(u' '));
}

void MachineWindow::explainAccelerator()
{
    const QString reason = QString::fromStdString(m_session.accelerator().reason);
    m_messages->say(MessageBar::Tone::information, tr("This machine runs with: %1. %2").arg(m_accelerator->text(), reason));
}

void MachineWindow::growTo(QSize guest)
{
    if (m_sized || isMaximized() || isFullScreen() || guest.isEmpty())
        return;
    const QSize extra = size() - m_view->size();
    const QSize wanted = (m_view->sizeHint() + extra).boundedTo(screen()->availableSize() * 9 / 10);
    if (!m_ownSizes.contains(wanted))
        m_ownSizes << wanted;
    resize(wanted);
    keepOnScreen();
}

void MachineWindow::keepOnScreen()
{
    const QRect room = screen()->availableGeometry(), frame = frameGeometry();
    const QPoint out(std::max(0, frame.right() - room.right()), std::max(0, frame.bottom() - room.bottom()));
    if (!out.isNull())
        move(pos() - out);
}

// From now on the window keeps the size that the person gave it. The window system repeats sizes that the window chose, and
// may do so late.
void MachineWindow::resizeEvent(QResizeEvent* event)
{
    const bool whole = windowState() & (Qt::WindowFullScreen | Qt::WindowMaximized) || event->size() == screen()->size();
    m_sized |= event->spontaneous() && !whole && !m_ownSizes.contains(event->size());
    QMainWindow::resizeEvent(event);
}

// Each machine has its own: guests differ in the size of their screens.
QString MachineWindow::geometryKey() const
{
    return QStringLiteral("machine/") + m_session.name();
}

void MachineWindow::toggleFullScreen()
{
    const bool full = !isFullScreen();
    setWindowState(full ? windowState() | Qt::WindowFullScreen : windowState() & ~Qt::WindowFullScreen);
    m_view->setFocus();
}

void MachineWindow::changeEvent(QEvent* event)
{
    if (event->type() == QEvent::WindowStateChange && m_fullScreen) {
        menuBar()->setVisible(!isFullScreen());
        statusBar()->setVisible(!isFullScreen());
        showPanes();
        m_fullScreen->setChecked(isFullScreen());
        if (isFullScreen())
            sayHowToLeaveFullScreen();
    }
    QMainWindow::changeEvent(event);
}

void MachineWindow::sayHowToLeaveFullScreen()
{
    m_messages->say(
        MessageBar::Tone::information, tr("Ctrl+Alt+F leaves full screen. Move the pointer to the upper edge to see this again."),
        tr("&Leave full screen"), [this] { toggleFullScreen(); });
}

void MachineWindow::report(const engine::Result<void>& result)
{
    if (!result)
        m_messages->say(result.error());
}

void MachineWindow::typeClipboard()
{
    const auto events = app::typedText(QApplication::clipboard()->text());
    if (!events)
        return m_messages->say(events.error());
    report(m_session.type(events.value()));
    m_view->setFocus();
}

QString MachineWindow::screenshotFolder()
{
    const QString pictures = QStandardPaths::writableLocation(QStandardPaths::PicturesLocation);
    return pictures.isEmpty() ? QDir::homePath() : pictures;
}

void MachineWindow::takeScreenshot()
{
    const auto frame = m_session.frame();
    if (!frame)
        return m_messages->say(app::problem(tr("There is no picture to take"), tr("the machine has not shown anything yet")));
    const QString folder = screenshotFolder();
    const QString stamp = QDateTime::currentDateTime().toString(QStringLiteral("yyyy-MM-dd HH-mm-ss-zzz"));
    const QString path = QStringLiteral("%1/%2 %3.png").arg(folder, m_session.name(), stamp);
    QDir().mkpath(folder);
    if (const auto saved = display::savePicture(*frame, path); !saved)
        return m_messages->say(saved.error());
    m_messages->say(MessageBar::Tone::information, tr("Screenshot saved as %1").arg(path), tr("Show folder"), [folder] {
        QDesktopServices::openUrl(QUrl::fromLocalFile(folder));
    });
}

}
