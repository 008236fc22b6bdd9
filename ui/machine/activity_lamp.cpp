#include "ui/machine/activity_lamp.h"

namespace ui {

namespace {

constexpr int lit_milliseconds = 120;

}

ActivityLamp::ActivityLamp(const QString& letters, const QString& name, QWidget* parent) : QLabel(letters, parent), m_name(name)
{
    setMargin(3);
    setAutoFillBackground(true);
    setAccessibleName(name);
    m_out.setSingleShot(true);
    m_out.callOnTimeout(this, [this] { setLit(false, false); });
    setLit(false, false);
}

void ActivityLamp::flash(bool write)
{
    setLit(true, write);
    m_out.start(lit_milliseconds);
}

void ActivityLamp::setLit(bool lit, bool write)
{
    m_lit = lit;
    // Reading and writing differ by more than colour: writing is underlined.
    setBackgroundRole(lit ? QPalette::Highlight : QPalette::Window);
    setForegroundRole(lit ? QPalette::HighlightedText : QPalette::WindowText);
    QFont letters = font();
    letters.setUnderline(lit && write);
    setFont(letters);
    setToolTip(!lit ? m_name : write ? tr("%1: writing").arg(m_name) : tr("%1: reading").arg(m_name));
}

}
