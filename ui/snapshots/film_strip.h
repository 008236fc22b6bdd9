#pragma once
// The machine's snapshots in the order of time, as pictures in a row under the screen. Hovering shows one larger; a click goes
// there.

#include <QAbstractListModel>
#include <QHash>
#include <QLabel>
#include <QListView>
#include <QPixmap>

#include "app/session/snapshot_shelf.h"

namespace ui {

class FilmStripModel : public QAbstractListModel {
    Q_OBJECT

public:
    enum Role { idRole = Qt::UserRole, pictureRole, timeRole, isPresentRole };

    explicit FilmStripModel(app::SnapshotShelf& shelf, QObject* parent = nullptr);
    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;

private:
    void follow();

    app::SnapshotShelf& m_shelf;
    QStringList m_ids;
    QHash<QString, QPixmap> m_pictures;
};

class FilmStrip : public QListView {
    Q_OBJECT

public:
    explicit FilmStrip(app::SnapshotShelf& shelf, QWidget* parent = nullptr);

signals:
    void wanted(const QString& id);
    void left();    // Escape

protected:
    void keyPressEvent(QKeyEvent* event) override;
    bool viewportEvent(QEvent* event) override;

private:
    void enlarge(const QModelIndex& index);
    void fitHeight();

    FilmStripModel m_model;
    QLabel m_enlarged;
};

}
