#include "ui/kvm_verdict.h"

#include <QMetaObject>
#include <QThread>

namespace ui {

void askForKvm(QObject* context, std::function<void(const engine::KvmVerdict&)> tell)
{
    // The probe is no QObject's child: it may outlive the window that asked. The signal `finished` reaches only a context
    // that still lives.
    auto verdict = std::make_shared<engine::KvmVerdict>();
    QThread* probe = QThread::create([verdict] { *verdict = engine::probe_kvm(); });
    QObject::connect(probe, &QThread::finished, context, [verdict, tell = std::move(tell)] { tell(*verdict); });
    QObject::connect(probe, &QThread::finished, probe, &QObject::deleteLater);
    probe->start();
}

}
