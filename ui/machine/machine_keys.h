#pragma once
// The shortcuts that a machine's window keeps from the guest, and the name under which it remembers its panes.

#include <QKeySequence>
#include <QString>

namespace ui {

inline const QKeySequence full_screen_keys(QStringLiteral("Ctrl+Alt+F")), capture_keys(QStringLiteral("Ctrl+Alt+G")),
    screenshot_keys(QStringLiteral("Ctrl+Alt+S")), take_keys(QStringLiteral("Ctrl+Alt+N")),
    list_keys(QStringLiteral("Ctrl+Alt+H"));
inline const QString panes_key = QStringLiteral("machine-panes");

}
