#include "display/keyboard_map.h"

#include <iterator>

namespace display {

namespace {

constexpr quint32 evdev_offset = 8;
constexpr quint32 last_plain_code = 83;    // KEY_KPDOT: up to here evdev counts as set 1 does

struct Row {
    quint16 from;
    quint16 set1;
};

// clang-format off
constexpr Row evdev_rows[] {
    {86, 0x56}, {87, 0x57}, {88, 0x58},                           // 102ND F11 F12
    {89, 0x73}, {90, 0x78}, {91, 0x77}, {92, 0x79}, {93, 0x70}, {94, 0x7b}, {95, 0x5c}, // Japanese keys
    {96, 0xe01c}, {97, 0xe01d}, {98, 0xe035}, {99, 0xe037}, {100, 0xe038}, // KPENTER RIGHTCTRL KPSLASH SYSRQ RIGHTALT
    {102, 0xe047}, {103, 0xe048}, {104, 0xe049}, {105, 0xe04b}, {106, 0xe04d}, {107, 0xe04f}, // HOME UP PAGEUP LEFT RIGHT END
    {108, 0xe050}, {109, 0xe051}, {110, 0xe052}, {111, 0xe053},   // DOWN PAGEDOWN INSERT DELETE
    {113, 0xe020}, {114, 0xe02e}, {115, 0xe030}, {116, 0xe05e}, {117, 0x59}, {119, 0xe11d}, // MUTE VOL- VOL+ POWER KPEQUAL PAUSE
    {121, 0x7e}, {122, 0x72}, {123, 0x71}, {124, 0x7d},           // KPCOMMA HANGEUL HANJA YEN
    {125, 0xe05b}, {126, 0xe05c}, {127, 0xe05d},                  // LEFTMETA RIGHTMETA COMPOSE
    {140, 0xe021}, {142, 0xe05f}, {143, 0xe063}, {155, 0xe06c},   // CALC SLEEP WAKEUP MAIL
    {158, 0xe06a}, {159, 0xe069}, {163, 0xe019}, {164, 0xe022}, {165, 0xe010}, {166, 0xe024}, {172, 0xe032}, // BACK … HOMEPAGE
    {183, 0x64}, {184, 0x65}, {185, 0x66}, {186, 0x67}, {187, 0x68}, {188, 0x69}, {189, 0x6a}, {190, 0x6b}, // F13 …
};

struct KeyRow {
    int key;
    quint16 set1;
};
constexpr KeyRow key_rows[] {
    {Qt::Key_Escape, 0x01}, {Qt::Key_Backspace, 0x0e}, {Qt::Key_Tab, 0x0f}, {Qt::Key_Backtab, 0x0f}, {Qt::Key_Return, 0x1c},
    {Qt::Key_Enter, 0xe01c}, {Qt::Key_Control, 0x1d}, {Qt::Key_Shift, 0x2a}, {Qt::Key_Alt, 0x38}, {Qt::Key_AltGr, 0xe038},
    {Qt::Key_Meta, 0xe05b}, {Qt::Key_Super_L, 0xe05b}, {Qt::Key_Super_R, 0xe05c}, {Qt::Key_Menu, 0xe05d},
    {Qt::Key_CapsLock, 0x3a}, {Qt::Key_NumLock, 0x45}, {Qt::Key_ScrollLock, 0x46}, {Qt::Key_Space, 0x39},
    {Qt::Key_F1, 0x3b}, {Qt::Key_F2, 0x3c}, {Qt::Key_F3, 0x3d}, {Qt::Key_F4, 0x3e}, {Qt::Key_F5, 0x3f}, {Qt::Key_F6, 0x40},
    {Qt::Key_F7, 0x41}, {Qt::Key_F8, 0x42}, {Qt::Key_F9, 0x43}, {Qt::Key_F10, 0x44}, {Qt::Key_F11, 0x57}, {Qt::Key_F12, 0x58},
    {Qt::Key_Up, 0xe048}, {Qt::Key_Down, 0xe050}, {Qt::Key_Left, 0xe04b}, {Qt::Key_Right, 0xe04d}, {Qt::Key_Home, 0xe047},
    {Qt::Key_End, 0xe04f}, {Qt::Key_PageUp, 0xe049}, {Qt::Key_PageDown, 0xe051}, {Qt::Key_Insert, 0xe052},
    {Qt::Key_Delete, 0xe053}, {Qt::Key_Print, 0xe037}, {Qt::Key_SysReq, 0xe037}, {Qt::Key_Pause, 0xe11d},
    {Qt::Key_Minus, 0x0c}, {Qt::Key_Underscore, 0x0c}, {Qt::Key_Equal, 0x0d}, {Qt::Key_Plus, 0x0d},
    {Qt::Key_BracketLeft, 0x1a}, {Qt::Key_BraceLeft, 0x1a}, {Qt::Key_BracketRight, 0x1b}, {Qt::Key_BraceRight, 0x1b},
    {Qt::Key_Semicolon, 0x27}, {Qt::Key_Colon, 0x27}, {Qt::Key_Apostrophe, 0x28}, {Qt::Key_QuoteDbl, 0x28},
    {Qt::Key_QuoteLeft, 0x29}, {Qt::Key_AsciiTilde, 0x29}, {Qt::Key_Backslash, 0x2b}, {Qt::Key_Bar, 0x2b},
    {Qt::Key_Comma, 0x33}, {Qt::Key_Less, 0x33}, {Qt::Key_Period, 0x34}, {Qt::Key_Greater, 0x34}, {Qt::Key_Slash, 0x35},
    {Qt::Key_Question, 0x35}, {Qt::Key_Exclam, 0x02}, {Qt::Key_At, 0x03}, {Qt::Key_NumberSign, 0x04}, {Qt::Key_Dollar, 0x05},
    {Qt::Key_Percent, 0x06}, {Qt::Key_AsciiCircum, 0x07}, {Qt::Key_Ampersand, 0x08}, {Qt::Key_Asterisk, 0x09},
    {Qt::Key_ParenLeft, 0x0a}, {Qt::Key_ParenRight, 0x0b}, {Qt::Key_0, 0x0b},
};
// Key_A … Key_Z
constexpr quint8 letters[26] {
    0x1e, 0x30, 0x2e, 0x20, 0x12, 0x21, 0x22, 0x23, 0x17, 0x24, 0x25, 0x26, 0x32,
    0x31, 0x18, 0x19, 0x10, 0x13, 0x1f, 0x14, 0x16, 0x2f, 0x11, 0x2d, 0x15, 0x2c,
};
// Key_0 … Key_9 on the keypad
constexpr quint8 keypad_digits[10] {0x52, 0x4f, 0x50, 0x51, 0x4b, 0x4c, 0x4d, 0x47, 0x48, 0x49};
// clang-format on

constexpr quint16 left_ctrl = 0x1d, right_ctrl = 0xe01d, left_alt = 0x38;

}

std::optional<quint16> set1FromNative(quint32 nativeScanCode)
{
    if (nativeScanCode <= evdev_offset)
        return std::nullopt;
    const quint32 code = nativeScanCode - evdev_offset;
    if (code <= last_plain_code)
        return quint16(code);
    for (const Row& row : evdev_rows)
        if (row.from == code)
            return row.set1;
    return std::nullopt;
}

std::optional<quint16> set1FromKey(int key, Qt::KeyboardModifiers modifiers)
{
    if (key >= Qt::Key_A && key <= Qt::Key_Z)
        return letters[key - Qt::Key_A];
    if (modifiers.testFlag(Qt::KeypadModifier) && key >= Qt::Key_0 && key <= Qt::Key_9)
        return keypad_digits[key - Qt::Key_0];
    if (key >= Qt::Key_1 && key <= Qt::Key_9)
        return quint16(2 + key - Qt::Key_1);
    for (const KeyRow& row : key_rows)
        if (row.key == key)
            return row.set1;
    return std::nullopt;
}

std::optional<quint16> set1FromEvent(const QKeyEvent& event)
{
    if (const auto code = set1FromNative(event.nativeScanCode()))
        return code;
    return set1FromKey(event.key(), event.modifiers());
}

bool ReleaseGesture::feed(quint16 key, bool down)
{
    const bool ours = m_keys == Keys::rightCtrl ? key == right_ctrl : key == left_ctrl || key == left_alt || key == right_ctrl;
    if (down) {
        m_spoiled |= !ours;
        m_down.insert(key);
        return false;
    }
    const bool all = m_keys == Keys::rightCtrl
        ? m_down.contains(right_ctrl)
        : m_down.contains(left_alt) && (m_down.contains(left_ctrl) || m_down.contains(right_ctrl));
    const bool done = ours && all && !m_spoiled;
    m_down.remove(key);
    if (done)
        m_spoiled = true;    // the second of the two keys to go up does nothing more
    if (m_down.isEmpty())
        m_spoiled = false;
    return done;
}

}
