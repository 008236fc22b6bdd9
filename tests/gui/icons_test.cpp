#include <QDirIterator>
#include <QIcon>
#include <QRegularExpression>
#include <QtTest>

// Where no icon theme has them, the commands' own icons are there.
class IconsTest : public QObject {
    Q_OBJECT

private slots:
    void everyIconThatTheSourcesNameCanBeDrawn()
    {
        static const QRegularExpression named(":/icons/([a-z-]+\\.svg)");
        static const QRegularExpression command("addCommand\\(tr\\([^)]*\\), .([a-z-]+)");
        QSet<QString> names;
        for (const QString folder : {PADDOCK_SOURCES "/ui", PADDOCK_SOURCES "/app"})
            for (QDirIterator files(folder, {"*.cpp"}, QDir::Files, QDirIterator::Subdirectories); files.hasNext();) {
                QFile file(files.next());
                QVERIFY(file.open(QIODevice::ReadOnly));
                const QString source = QString::fromUtf8(file.readAll());
                for (auto found = named.globalMatch(source); found.hasNext();)
                    names << found.next().captured(1);
                for (auto found = command.globalMatch(source); found.hasNext();)
                    names << found.next().captured(1) + "-symbolic.svg";
            }
        QVERIFY(names.size() > 10);
        QTest::failOnWarning(QRegularExpression(QStringLiteral("Cannot open file")));
        for (const QString& name : names)
            QVERIFY2(!QIcon(":/icons/" + name).pixmap(32).isNull(), qPrintable(name));
    }
};

QTEST_MAIN(IconsTest)
#include "icons_test.moc"
