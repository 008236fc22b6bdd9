#pragma once
// The machines of the library with their state and last picture, as a model for views; behind a machine its trial, while one
// runs. Follows the folders, the control sockets and the pictures as they change.

#include <memory>

#include <QAbstractListModel>
#include <QDateTime>
#include <QFileSystemWatcher>
#include <QPixmap>
#include <QTimer>

#include "app/library/machine_library.h"
#include "app/session/control_socket.h"

namespace ui {

class MachineList : public QAbstractListModel {
    Q_OBJECT

public:
    enum Role {
        stateRole = Qt::UserRole,    // as the control socket says it; "" while off
        stateTextRole,    // the same in words
        pictureRole,    // QPixmap, null where there is none yet
        detailsRole,    // "1024 MiB, 2 processors, 3.4 GiB on disk"
        trialRole,    // whether it is a trial: no machine that could be started, renamed or deleted
    };

    explicit MachineList(app::MachineLibrary& library, QObject* parent = nullptr);

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;

    QString nameAt(const QModelIndex& index) const { return data(index, Qt::DisplayRole).toString(); }
    QModelIndex indexOf(const QString& name) const;
    bool isRunning(const QString& name) const;
    void send(const QString& name, const QString& method, const QJsonObject& params = {});
    void refresh();

signals:
    void failed(const engine::Error& error);
    void ended(const QString& name);    // a machine or a trial is off now

private:
    struct Entry {
        QString name;
        QString trialOf;    // the machine in the library, "" where it is one itself
        std::unique_ptr<app::ControlLink> link;
        QPixmap picture;
        QDateTime pictureTime;
        QString details;
        bool saved = false;    // the next start goes on from there
        bool interrupted = false;    // its process ended without stopping it
    };

    std::vector<std::pair<QString, QString>> namesAndTrials() const;
    Entry makeEntry(const QString& name, const QString& trialOf);
    void describe(Entry& entry) const;
    void poll();
    static QString wordsFor(const Entry& entry);
    static QString wordsForTrial(const QString& state);
    const Entry* find(const QString& name) const;
    void changed(const QString& name);

    app::MachineLibrary& m_library;
    std::vector<Entry> m_entries;
    QFileSystemWatcher m_watcher;
    QTimer m_poll;
};

}
