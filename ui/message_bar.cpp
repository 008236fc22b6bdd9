#include "ui/message_bar.h"

#include <QAccessible>
#include <QHBoxLayout>
#include <QStyle>

#include "app/library/problem.h"

namespace ui {

namespace {

constexpr int information_milliseconds = 10'000;

}

MessageBar::MessageBar(QWidget* parent) : QFrame(parent)
{
    setFrameShape(QFrame::StyledPanel);
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::ToolTipBase);
    m_text.setForegroundRole(QPalette::ToolTipText);
    m_text.setWordWrap(true);
    m_text.setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_text.setFocusPolicy(Qt::ClickFocus);
    m_text.setTextFormat(Qt::PlainText);
    m_close.setIcon(style()->standardIcon(QStyle::SP_TitleBarCloseButton));
    m_close.setAutoRaise(true);
    m_close.setAccessibleName(tr("Dismiss the message"));
    m_close.setToolTip(m_close.accessibleName());

    auto* row = new QHBoxLayout(this);
    row->addWidget(&m_icon);
    row->addWidget(&m_text, 1);
    row->addWidget(&m_action);
    row->addWidget(&m_close);

    m_lifetime.setSingleShot(true);
    connect(&m_lifetime, &QTimer::timeout, this, &QWidget::hide);
    connect(&m_close, &QToolButton::clicked, this, &QWidget::hide);
    connect(&m_action, &QPushButton::clicked, this, [this] {
        hide();
        if (m_do)
            m_do();
    });
    m_action.hide();
    hide();
}

void MessageBar::say(Tone tone, const QString& text, const QString& actionText, std::function<void()> action)
{
    const bool problem = tone == Tone::problem;
    const int side = style()->pixelMetric(QStyle::PM_SmallIconSize, nullptr, this);
    m_icon.setPixmap(
        style()->standardIcon(problem ? QStyle::SP_MessageBoxWarning : QStyle::SP_MessageBoxInformation).pixmap(side));
    m_icon.setAccessibleName(problem ? tr("Problem") : tr("Information"));
    m_text.setText(text);
    m_text.setAccessibleName(text);
    m_do = std::move(action);
    m_action.setText(actionText);
    m_action.setVisible(!actionText.isEmpty());
    problem ? m_lifetime.stop() : m_lifetime.start(information_milliseconds);
    show();
    QAccessibleEvent alert(&m_text, QAccessible::Alert);
    QAccessible::updateAccessibility(&alert);
}

void MessageBar::say(const engine::Error& error)
{
    say(Tone::problem, app::sentences(error));
}

}
