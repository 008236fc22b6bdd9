#pragma once
// What a person without machines sees: where to drop an image, how to make a machine, a demo, and what machines run with.

#include <QLabel>
#include <QPushButton>

#include "app/library/medium.h"

namespace ui {

class EmptyPage : public QWidget {
    Q_OBJECT

public:
    explicit EmptyPage(QWidget* parent = nullptr);
    void setDropHover(bool hovering);

signals:
    void newMachineRequested();
    void openImageRequested();
    void demoRequested();

protected:
    void paintEvent(QPaintEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    QPushButton* m_new;
    QPushButton* m_open;
    QPushButton* m_demo;
    QLabel* m_demoRemark;
    QLabel* m_accelerator;
    bool m_hovering = false;
};

}
