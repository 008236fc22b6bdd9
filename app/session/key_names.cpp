#include "app/session/key_names.h"

#include <algorithm>
#include <iterator>

#include <QCoreApplication>
#include <QStringList>

#include "app/library/problem.h"

namespace app {

namespace {

struct KeyNamesWords {
    Q_DECLARE_TR_FUNCTIONS(app::KeyNamesWords)
};

struct NamedKey {
    const char* name;
    quint16 key;
};

// clang-format off
constexpr NamedKey named_keys[] {
    {"esc", 0x01}, {"escape", 0x01}, {"backspace", 0x0e}, {"bs", 0x0e}, {"tab", 0x0f},
    {"ret", 0x1c}, {"return", 0x1c}, {"enter", 0x1c}, {"space", 0x39}, {"spc", 0x39},
    {"ctrl", 0x1d}, {"control", 0x1d}, {"ctrl_l", 0x1d}, {"ctrl_r", 0xe01d}, {"rctrl", 0xe01d},
    {"shift", 0x2a}, {"shift_l", 0x2a}, {"shift_r", 0x36}, {"rshift", 0x36},
    {"alt", 0x38}, {"alt_l", 0x38}, {"alt_r", 0xe038}, {"ralt", 0xe038}, {"altgr", 0xe038},
    {"meta", 0xe05b}, {"super", 0xe05b}, {"win", 0xe05b}, {"meta_r", 0xe05c}, {"menu", 0xe05d},
    {"caps_lock", 0x3a}, {"caps", 0x3a}, {"num_lock", 0x45}, {"num", 0x45}, {"scroll_lock", 0x46}, {"scroll", 0x46},
    {"f1", 0x3b}, {"f2", 0x3c}, {"f3", 0x3d}, {"f4", 0x3e}, {"f5", 0x3f}, {"f6", 0x40}, {"f7", 0x41}, {"f8", 0x42},
    {"f9", 0x43}, {"f10", 0x44}, {"f11", 0x57}, {"f12", 0x58},
    {"up", 0xe048}, {"down", 0xe050}, {"left", 0xe04b}, {"right", 0xe04d},
    {"home", 0xe047}, {"end", 0xe04f}, {"pgup", 0xe049}, {"page_up", 0xe049}, {"pgdn", 0xe051}, {"page_down", 0xe051},
    {"insert", 0xe052}, {"ins", 0xe052}, {"delete", 0xe053}, {"del", 0xe053},
    {"print", 0xe037}, {"sysrq", 0xe037}, {"pause", 0xe11d}, {"less", 0x56},
    {"minus", 0x0c}, {"equal", 0x0d}, {"bracket_left", 0x1a}, {"bracket_right", 0x1b}, {"semicolon", 0x27},
    {"apostrophe", 0x28}, {"grave", 0x29}, {"backslash", 0x2b}, {"comma", 0x33}, {"dot", 0x34}, {"slash", 0x35},
    {"kp_0", 0x52}, {"kp_1", 0x4f}, {"kp_2", 0x50}, {"kp_3", 0x51}, {"kp_4", 0x4b}, {"kp_5", 0x4c}, {"kp_6", 0x4d},
    {"kp_7", 0x47}, {"kp_8", 0x48}, {"kp_9", 0x49}, {"kp_decimal", 0x53}, {"kp_add", 0x4e}, {"kp_subtract", 0x4a},
    {"kp_multiply", 0x37}, {"kp_divide", 0xe035}, {"kp_enter", 0xe01c},
};

// Rows of a US keyboard: the first key's code, what its keys type, and what they type with Shift.
struct Row {
    quint16 first;
    const char* plain;
    const char* shifted;
};
constexpr Row us_layout[] {
    {0x02, "1234567890-=", "!@#$%^&*()_+"},
    {0x10, "qwertyuiop[]", "QWERTYUIOP{}"},
    {0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~"},
    {0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"},
    {0x39, " ", " "},
};
// clang-format on

constexpr quint16 left_shift = 0x2a;

struct Stroke {
    quint16 key;
    bool shift;
};

std::optional<Stroke> strokeFor(QChar character)
{
    if (character == u'\n' || character == u'\r')
        return Stroke{0x1c, false};
    if (character == u'\t')
        return Stroke{0x0f, false};
    for (const Row& row : us_layout) {
        const QLatin1String plain(row.plain), shifted(row.shifted);
        if (const auto at = QString(plain).indexOf(character); at >= 0)
            return Stroke{quint16(row.first + at), false};
        if (const auto at = QString(shifted).indexOf(character); at >= 0)
            return Stroke{quint16(row.first + at), true};
    }
    return std::nullopt;
}

void append(KeyEvents& events, const KeyEvents& more)
{
    events.insert(events.end(), more.begin(), more.end());
}

}

std::optional<quint16> keyNamed(const QString& name)
{
    const QString lower = name.toLower();
    for (const NamedKey& row : named_keys)
        if (lower == QLatin1String(row.name))
            return row.key;
    if (lower.size() == 1)
        if (const auto stroke = strokeFor(lower.at(0)); stroke && !stroke->shift)
            return stroke->key;
    return std::nullopt;
}

engine::Result<KeyEvents> keyCombo(const QString& combo)
{
    // A lone '-' or '+', or one at the end ("ctrl--"), is the key itself.
    QString names = combo.trimmed();
    QString last;
    if (names.endsWith(u'-') || names.endsWith(u'+')) {
        last = names.endsWith(u'-') ? QStringLiteral("minus") : QStringLiteral("equal");
        names.chop(names.size() > 1 ? 2 : 1);
    }
    QStringList parts = names.replace(u'+', u'-').split(u'-', Qt::SkipEmptyParts);
    if (!last.isEmpty())
        parts.append(last);
    if (parts.isEmpty())
        return problem(
            KeyNamesWords::tr("There is no key to press"), KeyNamesWords::tr("the combination is empty"),
            KeyNamesWords::tr("Write for example ctrl-alt-delete"));

    KeyEvents events;
    for (const QString& part : parts) {
        const auto key = keyNamed(part);
        if (!key)
            return problem(
                KeyNamesWords::tr("There is no key “%1”").arg(part.left(40)), {},
                KeyNamesWords::tr("Names are as in ctrl-alt-delete, ret, esc, f2, up, kp_5, a"));
        events.push_back({*key, true});
    }
    for (size_t i = events.size(); i > 0; --i)
        events.push_back({events[i - 1].key, false});
    return events;
}

engine::Result<KeyEvents> typedText(const QString& text)
{
    KeyEvents events;
    for (const QChar character : text) {
        const auto stroke = strokeFor(character);
        if (!stroke)
            return problem(
                KeyNamesWords::tr("“%1” cannot be typed").arg(character), KeyNamesWords::tr("a US keyboard has no key for it"),
                KeyNamesWords::tr("Leave it out"));
        if (stroke->shift)
            events.push_back({left_shift, true});
        events.push_back({stroke->key, true});
        events.push_back({stroke->key, false});
        if (stroke->shift)
            events.push_back({left_shift, false});
    }
    return events;
}

engine::Result<KeyEvents> keySequence(const QString& keys)
{
    KeyEvents events;
    qsizetype position = 0;
    while (position < keys.size()) {
        const qsizetype open = keys.indexOf(u'<', position);
        auto plain = typedText(keys.mid(position, open < 0 ? -1 : open - position));
        if (!plain)
            return plain;
        append(events, plain.value());
        if (open < 0)
            break;
        const qsizetype close = keys.indexOf(u'>', open);
        if (close < 0)
            return problem(
                KeyNamesWords::tr("“%1” has no end").arg(keys.mid(open, 40)),
                KeyNamesWords::tr("a key's name stands between < and >"),
                KeyNamesWords::tr("Write <lt> for the character itself"));
        const QString name = keys.mid(open + 1, close - open - 1);
        auto combo = name == QLatin1String("lt") ? typedText(QStringLiteral("<"))
            : name == QLatin1String("gt")        ? typedText(QStringLiteral(">"))
                                                 : keyCombo(name);
        if (!combo)
            return combo;
        append(events, combo.value());
        position = close + 1;
    }
    return events;
}

}
