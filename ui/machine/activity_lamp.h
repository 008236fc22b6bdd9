#pragma once
// A lamp in the status bar that lights for a moment when a drive works.

#include <QLabel>
#include <QTimer>

namespace ui {

class ActivityLamp : public QLabel {
    Q_OBJECT

public:
    ActivityLamp(const QString& letters, const QString& name, QWidget* parent = nullptr);
    void flash(bool write);
    bool isLit() const { return m_lit; }

private:
    void setLit(bool lit, bool write);

    QTimer m_out;
    QString m_name;
    bool m_lit = false;
};

}
