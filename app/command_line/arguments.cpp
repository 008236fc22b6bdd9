#include "app/command_line/arguments.h"

#include <algorithm>
#include <limits>

#include "app/library/problem.h"

namespace app {

QString Command::synopsis() const
{
    QString line = "paddock " + name;
    for (const QString& positional : positionals)
        line += ' ' + positional;
    for (const QString& positional : more)
        line += " [" + positional + ']';
    return options.empty() ? line : line + " [OPTIONS]";
}

QString Command::help() const
{
    QString text = synopsis() + "\n\n" + summary + '\n';
    if (!options.empty())
        text += '\n';
    for (const Option& option : options) {
        const QString left = option.value.isEmpty() ? option.name : option.name + ' ' + option.value;
        text += "  " + left.leftJustified(26) + ' ' + option.help + '\n';
    }
    return remarks.isEmpty() ? text : text + '\n' + remarks + '\n';
}

engine::Result<Arguments> Arguments::parse(const Command& command, const QStringList& given)
{
    Arguments arguments;
    bool options_end = false;
    for (qsizetype at = 0; at < given.size(); ++at) {
        const QString& word = given[at];
        if (!options_end && word == "--") {
            options_end = true;
        } else if (!options_end && word.startsWith('-') && word != "-") {
            if (auto taken = arguments.takeOption(command, given, at); !taken)
                return taken.error();
        } else {
            arguments.m_positionals += word;
        }
    }
    const QString see = QString("Write: %1; “paddock %2 --help” has the details").arg(command.synopsis(), command.name);
    if (arguments.m_positionals.size() < command.positionals.size())
        return problem(QString("%1 is missing").arg(command.positionals[arguments.m_positionals.size()]), {}, see);
    const qsizetype most = command.positionals.size() + command.more.size();
    if (arguments.m_positionals.size() > most)
        return problem(
            QString("“%1” is one word too many").arg(arguments.m_positionals[most]),
            "a name or a text with spaces needs quotation marks around it", see);
    return arguments;
}

engine::Result<void> Arguments::takeOption(const Command& command, const QStringList& given, qsizetype& at)
{
    const QString& word = given[at];
    const qsizetype equals = word.indexOf('=');
    const QString name = equals < 0 ? word : word.left(equals);
    const auto option
        = std::find_if(command.options.begin(), command.options.end(), [&](const Option& o) { return o.name == name; });
    if (option == command.options.end())
        return problem(
            QString("%1 is no option of “paddock %2”").arg(name, command.name), {},
            QString("“paddock %1 --help” lists them").arg(command.name));
    if (option->value.isEmpty()) {
        if (equals >= 0)
            return problem(QString("%1 takes no value").arg(name), {}, QString("Leave away “%1”").arg(word.mid(equals)));
        m_options.emplace_back(name, QString());
        return {};
    }
    if (equals < 0 && at + 1 >= given.size())
        return problem(QString("%1 needs a value").arg(name), {}, QString("Write: %1 %2").arg(name, option->value));
    m_options.emplace_back(name, equals < 0 ? given[++at] : word.mid(equals + 1));
    return {};
}

std::optional<QString> Arguments::value(const QString& option) const
{
    const auto found = std::find_if(m_options.rbegin(), m_options.rend(), [&](const auto& o) { return o.first == option; });
    return found == m_options.rend() ? std::nullopt : std::optional(found->second);
}

QStringList Arguments::values(const QString& option) const
{
    QStringList all;
    for (const auto& [name, value] : m_options)
        if (name == option)
            all += value;
    return all;
}

engine::Error badValue(const QString& option, const QString& value, const QString& expected)
{
    return problem(QString("%1 cannot be “%2”").arg(option, value), {}, QString("Give it %1").arg(expected));
}

std::optional<quint64> bytesFrom(const QString& text, quint64 unit)
{
    static const QString suffixes = "KMGT";
    QString digits = text.trimmed().toUpper();
    if (digits.endsWith("IB"))
        digits.chop(2);
    else if (digits.endsWith('B'))
        digits.chop(1);
    if (!digits.isEmpty() && suffixes.contains(digits.back())) {
        unit = quint64(1) << (10 * (suffixes.indexOf(digits.back()) + 1));
        digits.chop(1);
    }
    bool sound = false;
    const quint64 count = digits.trimmed().toULongLong(&sound);
    if (!sound || digits.startsWith('+') || digits.startsWith('-') || count > std::numeric_limits<quint64>::max() / unit)
        return {};
    return count * unit;
}

}
