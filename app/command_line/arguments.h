#pragma once
// A command of the program and what was given to it. QtCore only.

#include <optional>
#include <utility>
#include <vector>

#include <QString>
#include <QStringList>

#include "engine/base/result.h"

namespace app {

struct Option {
    QString name;    // "--memory"
    QString value;    // what its value is called in the help; "" for a switch
    QString help;
};

struct Command {
    QString name;
    QStringList positionals;    // all are needed
    QString summary;
    std::vector<Option> options;
    QString remarks;    // stands below the options in the help
    QStringList more{};    // positionals that may be left away, last ones first

    QString synopsis() const;
    QString help() const;
};

class Arguments {
public:
    // Options may stand anywhere, as "--name value" or "--name=value"; what follows "--" is no option. Errors are in words.
    static engine::Result<Arguments> parse(const Command& command, const QStringList& given);

    bool has(const QString& option) const { return value(option).has_value(); }
    std::optional<QString> value(const QString& option) const;    // the last one given
    QStringList values(const QString& option) const;
    const QString& positional(int n) const { return m_positionals[n]; }
    QString positionalOr(int n, const QString& otherwise) const { return m_positionals.value(n, otherwise); }

    // Options with their values in the order they were given.
    const std::vector<std::pair<QString, QString>>& inOrder() const { return m_options; }

private:
    engine::Result<void> takeOption(const Command& command, const QStringList& given, qsizetype& at);

    std::vector<std::pair<QString, QString>> m_options;
    QStringList m_positionals;
};

// What is wrong with the value of an option, as an error.
engine::Error badValue(const QString& option, const QString& value, const QString& expected);

// "2G" or "512M" in units of `unit` bytes where it has no suffix; K, M, G and T are powers of 1024.
std::optional<quint64> bytesFrom(const QString& text, quint64 unit);

}
