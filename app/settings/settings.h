#pragma once
// The person's choices, each declared once: key and default here, label and help at the control that shows it. Kept in
// $XDG_CONFIG_HOME/paddock/paddock.conf.

#include <QMetaEnum>
#include <QObject>
#include <QSettings>

namespace app {

namespace choice {
Q_NAMESPACE
enum class Filter { smooth, sharp, nearest };
Q_ENUM_NS(Filter)
enum class Scaling { fit, integer, native };
Q_ENUM_NS(Scaling)
enum class Renderer { automatic, opengl, painter };
Q_ENUM_NS(Renderer)
enum class ReleaseKey { ctrlAlt, rightCtrl };
Q_ENUM_NS(ReleaseKey)
enum class AutomaticPoints { off, everyMinute, every5Minutes, every15Minutes, everyHour };
Q_ENUM_NS(AutomaticPoints)
enum class RoomForPoints { gib1, gib4, gib16, gib64 };
Q_ENUM_NS(RoomForPoints)
enum class FilmStrip { shown, hidden };
Q_ENUM_NS(FilmStrip)
}

template <class T> struct Setting {
    const char* key;
    T fallback;
};

namespace setting {
inline constexpr Setting<choice::Filter> filter{"display/filter", choice::Filter::sharp};
inline constexpr Setting<choice::Scaling> scaling{"display/scaling", choice::Scaling::fit};
inline constexpr Setting<choice::Renderer> renderer{"display/renderer", choice::Renderer::automatic};
inline constexpr Setting<choice::ReleaseKey> release_key{"input/release_key", choice::ReleaseKey::ctrlAlt};
inline constexpr Setting<choice::AutomaticPoints> automatic_points{"snapshots/automatic_points", choice::AutomaticPoints::off};
inline constexpr Setting<choice::RoomForPoints> room_for_points{"snapshots/room_for_points", choice::RoomForPoints::gib4};
inline constexpr Setting<choice::FilmStrip> film_strip{"snapshots/film_strip", choice::FilmStrip::shown};
}

class Settings : public QObject {
    Q_OBJECT

public:
    // `file` is for tests; "" is the person's own.
    explicit Settings(const QString& file = {}, QObject* parent = nullptr);

    // What is stored but not understood counts as the default.
    template <class T> T get(const Setting<T>& setting) const
    {
        const QString text = m_store.value(QLatin1String(setting.key)).toString();
        bool known = false;
        const int value = QMetaEnum::fromType<T>().keyToValue(text.toLatin1().constData(), &known);
        return known ? T(value) : setting.fallback;
    }

    template <class T> void set(const Setting<T>& setting, T value)
    {
        if (get(setting) == value)
            return;
        m_store.setValue(QLatin1String(setting.key), QLatin1String(QMetaEnum::fromType<T>().valueToKey(int(value))));
        emit changed(QLatin1String(setting.key));
    }

    // Where a window was when it closed.
    QByteArray windowGeometry(const QString& window) const { return m_store.value(windowKey(window)).toByteArray(); }
    void setWindowGeometry(const QString& window, const QByteArray& geometry) { m_store.setValue(windowKey(window), geometry); }

signals:
    void changed(const QString& key);

private:
    static QString windowKey(const QString& window) { return QStringLiteral("windows/") + window; }

    QSettings m_store;
};

}
