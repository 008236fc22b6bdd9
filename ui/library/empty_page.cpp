#include "ui/library/empty_page.h"

#include <QIcon>
#include <QPainter>
#include <QVBoxLayout>

#include "ui/kvm_verdict.h"

namespace ui {

namespace {

constexpr int icon_size = 96, border_margin = 16, border_width = 2;

QLabel* sentence(const QString& text)
{
    auto* label = new QLabel(text);
    label->setAlignment(Qt::AlignHCenter);
    label->setWordWrap(true);
    return label;
}

}

EmptyPage::EmptyPage(QWidget* parent) : QWidget(parent)
{
    auto* icon = sentence({});
    icon->setPixmap(QIcon(QStringLiteral(":/icons/drop-disc-symbolic.svg")).pixmap(icon_size));
    icon->setAccessibleName(tr("A disc"));
    auto* title = sentence(tr("Drop a CD image here"));
    QFont large = title->font();
    large.setPointSizeF(large.pointSizeF() * 1.8);
    large.setBold(true);
    title->setFont(large);

    m_new = new QPushButton(
        QIcon::fromTheme(QStringLiteral("list-add"), QIcon(QStringLiteral(":/icons/new-machine-symbolic.svg"))),
        tr("&New machine"));
    m_open = new QPushButton(tr("&Open image…"));
    m_demo = new QPushButton(tr("&Try the demo"));
    m_demoRemark = sentence({});
    m_accelerator = sentence(tr("Looking whether KVM works here…"));
    auto* buttons = new QHBoxLayout;
    buttons->addStretch(1);
    for (QPushButton* button : {m_new, m_open, m_demo})
        buttons->addWidget(button);
    buttons->addStretch(1);

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(3 * border_margin, 2 * border_margin, 3 * border_margin, 2 * border_margin);
    column->setSpacing(12);
    column->addStretch(2);
    column->addWidget(icon);
    column->addWidget(title);
    column->addWidget(sentence(tr("Paddock reads what is on it, suggests a machine, and starts it.")));
    column->addLayout(buttons);
    column->addWidget(m_demoRemark);
    column->addStretch(3);
    column->addWidget(m_accelerator);

    connect(m_new, &QPushButton::clicked, this, &EmptyPage::newMachineRequested);
    connect(m_open, &QPushButton::clicked, this, &EmptyPage::openImageRequested);
    connect(m_demo, &QPushButton::clicked, this, &EmptyPage::demoRequested);
    askForKvm(this, [this](const engine::KvmVerdict& verdict) {
        const QString reason = QString::fromStdString(verdict.reason);
        m_accelerator->setText(
            verdict.usable ? tr("Hardware acceleration: on. %1").arg(reason)
                           : tr("Hardware acceleration: off; machines run on the built-in engine. %1").arg(reason));
    });
}

// Packages come and go while Paddock is open.
void EmptyPage::showEvent(QShowEvent*)
{
    const app::Demo demo = app::findDemo();
    m_demo->setEnabled(demo.machine.has_value());
    m_demoRemark->setText(
        demo.machine ? tr("The demo starts “%1” at once; nothing is downloaded.").arg(demo.title)
                     : tr("For the demo install the package %1: sudo apt install %1").arg(demo.package));
    m_demo->setAccessibleDescription(m_demoRemark->text());
    m_new->setFocus();
}

void EmptyPage::setDropHover(bool hovering)
{
    m_hovering = hovering;
    update();
}

void EmptyPage::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QColor colour = palette().color(m_hovering ? QPalette::Highlight : QPalette::Mid);
    painter.setPen(QPen(colour, m_hovering ? 2 * border_width : border_width, Qt::DashLine));
    painter.drawRoundedRect(rect().adjusted(border_margin, border_margin, -border_margin, -border_margin), 12, 12);
}

}
