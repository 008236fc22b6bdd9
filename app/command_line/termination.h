#pragma once
// SIGINT, SIGTERM and SIGHUP as a Qt signal, so that a machine is put away in order when the process is asked to end.
// At most one at a time.

#include <QObject>

namespace app {

class Termination : public QObject {
    Q_OBJECT

public:
    explicit Termination(QObject* parent = nullptr);
    ~Termination() override;

Q_SIGNALS:
    void asked();
};

}
