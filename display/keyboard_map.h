#pragma once
// From what the host's keyboard says to AT set-1 make codes (as engine::Machine::key takes them), and which keys a guest
// holds down. Codes: Linux input-event-codes.h; X11 and Wayland count from 8.

#include <optional>
#include <vector>

#include <QKeyEvent>
#include <QSet>

namespace display {

std::optional<quint16> set1FromNative(quint32 nativeScanCode);

// For events without a scan code (input methods, on-screen keyboards, remote desktops): by the key's meaning on a US layout.
std::optional<quint16> set1FromKey(int key, Qt::KeyboardModifiers modifiers = {});

std::optional<quint16> set1FromEvent(const QKeyEvent& event);

// The keys the guest believes down. A release is passed on only if its press was.
class PressedKeys {
public:
    void press(quint16 key) { m_down.insert(key); }
    bool release(quint16 key) { return m_down.remove(key); }
    bool holds(quint16 key) const { return m_down.contains(key); }
    // What must be released when the guest loses the keyboard.
    std::vector<quint16> releaseAll()
    {
        std::vector<quint16> keys(m_down.begin(), m_down.end());
        m_down.clear();
        return keys;
    }

private:
    QSet<quint16> m_down;
};

// Recognises the gesture that frees the pointer: Ctrl+Alt, or the right Ctrl alone, pressed and let go with no other key.
// Held with another key they are the guest's.
class ReleaseGesture {
public:
    enum class Keys { ctrlAlt, rightCtrl };

    void setKeys(Keys keys) { m_keys = keys; }
    Keys keys() const { return m_keys; }
    // True where this event completes the gesture.
    bool feed(quint16 key, bool down);
    void reset() { *this = ReleaseGesture(m_keys); }

    explicit ReleaseGesture(Keys keys = Keys::ctrlAlt) : m_keys(keys) { }

private:
    Keys m_keys;
    QSet<quint16> m_down;
    bool m_spoiled = false;    // another key came in between
};

}
