#pragma once
// The other end of the guest's first serial port: nowhere, this process's standard input and output, or a file.
// On a terminal keys go to the guest one by one, Ctrl-C too; Ctrl-] ends the machine.

#include <memory>
#include <optional>

#include <termios.h>

#include <QFile>
#include <QObject>
#include <QSocketNotifier>

#include "engine/base/result.h"

namespace app {

class SerialSink : public QObject {
    Q_OBJECT

public:
    // `where` is "", "stdio" or the path of a file, which is written anew.
    static engine::Result<std::unique_ptr<SerialSink>> open(const QString& where);
    ~SerialSink() override;

    void write(const QByteArray& bytes);
    // Gives the terminal back.
    void close();

Q_SIGNALS:
    void typed(const QByteArray& bytes);
    void endWanted();

private:
    SerialSink() = default;
    void useStandardInput();
    void readStandardInput();

    bool m_standardOutput = false;
    QFile m_file;
    std::unique_ptr<QSocketNotifier> m_input;
    std::optional<termios> m_terminal;    // as it was before
};

}
