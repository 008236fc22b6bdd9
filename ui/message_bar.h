#pragma once
// A sentence at the edge of a window with at most one thing to do about it. Never modal.

#include <functional>

#include <QFrame>
#include <QLabel>
#include <QPushButton>
#include <QTimer>
#include <QToolButton>

#include "engine/base/result.h"

namespace ui {

class MessageBar : public QFrame {
    Q_OBJECT

public:
    enum class Tone { information, problem };

    explicit MessageBar(QWidget* parent = nullptr);

    // Information goes away by itself; a problem stays until it is closed.
    void say(Tone tone, const QString& text, const QString& actionText = {}, std::function<void()> action = {});
    void say(const engine::Error& error);
    QString text() const { return m_text.text(); }

private:
    QLabel m_icon;
    QLabel m_text;
    QPushButton m_action;
    QToolButton m_close;
    QTimer m_lifetime;
    std::function<void()> m_do;
};

}
