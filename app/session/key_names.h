#pragma once
// Names of keys and what typing a text does to a PC keyboard with a US layout. Codes are AT set-1 make codes as
// engine::Machine::key takes them: extended keys 0xe000 | code, Pause 0xe11d.

#include <optional>
#include <vector>

#include <QString>

#include "engine/base/result.h"

namespace app {

struct KeyEvent {
    quint16 key = 0;
    bool down = false;
    bool operator==(const KeyEvent&) const = default;
};
using KeyEvents = std::vector<KeyEvent>;

// "ret", "enter", "f2", "a", "delete", "kp_5", … in any case.
std::optional<quint16> keyNamed(const QString& name);

// "ctrl-alt-delete", also with '+': pressed in this order, released in the opposite one.
engine::Result<KeyEvents> keyCombo(const QString& combo);

// Text as typed on a US keyboard; '\n' is Enter, '\t' Tab.
engine::Result<KeyEvents> typedText(const QString& text);

// Text with combos in angle brackets: "<ret>hello<f2>"; "<lt>" types '<'.
engine::Result<KeyEvents> keySequence(const QString& keys);

}
