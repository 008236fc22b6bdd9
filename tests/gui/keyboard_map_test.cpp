#include <QtTest>

#include "display/keyboard_map.h"

using display::ReleaseGesture;

class KeyboardMapTest : public QObject {
    Q_OBJECT

private slots:
    void mapsScanCodes_data()
    {
        QTest::addColumn<uint>("native");
        QTest::addColumn<int>("set1");
        QTest::newRow("none") << 0u << 0;
        QTest::newRow("Esc") << 9u << 0x01;
        QTest::newRow("a") << 38u << 0x1e;
        QTest::newRow("keypad dot") << 91u << 0x53;
        QTest::newRow("102nd") << 94u << 0x56;
        QTest::newRow("F11") << 95u << 0x57;
        QTest::newRow("F12") << 96u << 0x58;
        QTest::newRow("keypad Enter") << 104u << 0xe01c;
        QTest::newRow("right Ctrl") << 105u << 0xe01d;
        QTest::newRow("up") << 111u << 0xe048;
        QTest::newRow("Delete") << 119u << 0xe053;
        QTest::newRow("Pause") << 127u << 0xe11d;
        QTest::newRow("left Meta") << 133u << 0xe05b;
        QTest::newRow("beyond") << 5000u << 0;
        QTest::newRow("huge") << 0xffffffffu << 0;
    }
    void mapsScanCodes()
    {
        QFETCH(uint, native);
        QFETCH(int, set1);
        QCOMPARE(int(display::set1FromNative(native).value_or(0)), set1);
    }

    void fallsBackToMeanings()
    {
        QCOMPARE(int(display::set1FromKey(Qt::Key_A).value()), 0x1e);
        QCOMPARE(int(display::set1FromKey(Qt::Key_Z).value()), 0x2c);
        QCOMPARE(int(display::set1FromKey(Qt::Key_9).value()), 0x0a);
        QCOMPARE(int(display::set1FromKey(Qt::Key_0).value()), 0x0b);
        QCOMPARE(int(display::set1FromKey(Qt::Key_7, Qt::KeypadModifier).value()), 0x47);
        QVERIFY(!display::set1FromKey(Qt::Key_Launch0));
        const QKeyEvent both(QEvent::KeyPress, Qt::Key_A, {}, 24, 0, 0);    // the place of Q
        QCOMPARE(int(display::set1FromEvent(both).value()), 0x10);
    }

    void releasesOnlyWhatIsDown()
    {
        display::PressedKeys keys;
        keys.press(0x1e);
        keys.press(0x1e);
        keys.press(0x2a);
        QVERIFY(keys.release(0x1e));
        QVERIFY(!keys.release(0x1e));
        QCOMPARE(keys.releaseAll(), std::vector<quint16>{0x2a});
        QVERIFY(keys.releaseAll().empty());
    }

    void freesWithCtrlAlt()
    {
        ReleaseGesture gesture;
        QVERIFY(!gesture.feed(0x1d, true));
        QVERIFY(!gesture.feed(0x38, true));
        QVERIFY(gesture.feed(0x38, false));
        QVERIFY(!gesture.feed(0x1d, false));
        // Alt alone, then both in the other order.
        QVERIFY(!gesture.feed(0x38, true));
        QVERIFY(!gesture.feed(0x38, false));
        QVERIFY(!gesture.feed(0x38, true));
        QVERIFY(!gesture.feed(0xe01d, true));
        QVERIFY(gesture.feed(0xe01d, false));
    }

    void leavesCombosToTheGuest()
    {
        ReleaseGesture gesture;
        for (const quint16 key : {0x1d, 0x38, 0x3b})
            QVERIFY(!gesture.feed(key, true));
        for (const quint16 key : {0x3b, 0x38, 0x1d})
            QVERIFY(!gesture.feed(key, false));
    }

    void freesWithRightCtrl()
    {
        ReleaseGesture gesture(ReleaseGesture::Keys::rightCtrl);
        QVERIFY(!gesture.feed(0xe01d, true));
        QVERIFY(gesture.feed(0xe01d, false));
        QVERIFY(!gesture.feed(0xe01d, true));
        QVERIFY(!gesture.feed(0x2e, true));
        QVERIFY(!gesture.feed(0x2e, false));
        QVERIFY(!gesture.feed(0xe01d, false));
        for (const quint16 key : {0x1d, 0x38})
            QVERIFY(!gesture.feed(key, true));
        QVERIFY(!gesture.feed(0x38, false));
    }
};

QTEST_APPLESS_MAIN(KeyboardMapTest)
#include "keyboard_map_test.moc"
