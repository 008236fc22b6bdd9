#include <QtTest>

#include "app/session/key_names.h"

using app::KeyEvents;

class KeyNamesTest : public QObject {
    Q_OBJECT

private slots:
    void knowsNames_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("code");
        QTest::newRow("ret") << "ret" << 0x1c;
        QTest::newRow("F12") << "F12" << 0x58;
        QTest::newRow("letter") << "q" << 0x10;
        QTest::newRow("digit") << "1" << 0x02;
        QTest::newRow("delete") << "delete" << 0xe053;
        QTest::newRow("pause") << "pause" << 0xe11d;
        QTest::newRow("right ctrl") << "ctrl_r" << 0xe01d;
        QTest::newRow("unknown") << "any" << 0;
        QTest::newRow("empty") << "" << 0;
    }
    void knowsNames()
    {
        QFETCH(QString, name);
        QFETCH(int, code);
        QCOMPARE(int(app::keyNamed(name).value_or(0)), code);
    }

    void nestsCombos()
    {
        const KeyEvents expected{{0x1d, true}, {0x38, true}, {0xe053, true}, {0xe053, false}, {0x38, false}, {0x1d, false}};
        QCOMPARE(app::keyCombo("ctrl-alt-delete").value(), expected);
        QCOMPARE(app::keyCombo("Ctrl+Alt+Del").value(), expected);
        const KeyEvents minus{{0x1d, true}, {0x0c, true}, {0x0c, false}, {0x1d, false}};
        QCOMPARE(app::keyCombo("ctrl--").value(), minus);
        QCOMPARE(app::keyCombo("-").value(), (KeyEvents{{0x0c, true}, {0x0c, false}}));
        QVERIFY(!app::keyCombo(""));
        QVERIFY(!app::keyCombo("ctrl-banana"));
    }

    void typesText()
    {
        const KeyEvents expected{{0x2a, true}, {0x1e, true},  {0x1e, false}, {0x2a, false},
                                 {0x02, true}, {0x02, false}, {0x1c, true},  {0x1c, false}};
        QCOMPARE(app::typedText("A1\n").value(), expected);
        QCOMPARE(app::typedText("").value(), KeyEvents());
        const auto refused = app::typedText(QString::fromUtf8("ä"));
        QVERIFY(!refused);
        QVERIFY(QString::fromStdString(refused.error().what).contains(QString::fromUtf8("ä")));
    }

    void typesEveryPrintableCharacter()
    {
        QSet<QString> seen;
        for (char character = ' '; character <= '~'; ++character) {
            const auto events = app::typedText(QString(QLatin1Char(character)));
            QVERIFY2(events, &character);
            QString keys;
            for (const auto& event : events.value())
                keys += QStringLiteral("%1%2 ").arg(event.key).arg(event.down);
            seen.insert(keys);
        }
        QCOMPARE(seen.size(), qsizetype('~' - ' ' + 1));    // no two alike
    }

    void readsSequences()
    {
        const KeyEvents expected{{0x1c, true}, {0x1c, false}, {0x23, true}, {0x23, false},
                                 {0x17, true}, {0x17, false}, {0x3c, true}, {0x3c, false}};
        QCOMPARE(app::keySequence("<ret>hi<f2>").value(), expected);
        QCOMPARE(app::keySequence("<lt>").value(), app::typedText("<").value());
        QVERIFY(!app::keySequence("<ret"));
        QVERIFY(!app::keySequence("<>"));
        QVERIFY(!app::keySequence("<banana>"));
    }
};

QTEST_APPLESS_MAIN(KeyNamesTest)
#include "key_names_test.moc"
