#include <QtTest>

#include "display/guest_view.h"
#include "display/screenshot.h"

using namespace display;

namespace {

std::shared_ptr<engine::Frame> picture(engine::u64 number, engine::u32 width, engine::u32 height, engine::u32 colour)
{
    auto frame = std::make_shared<engine::Frame>();
    frame->number = number;
    frame->width = width;
    frame->height = height;
    frame->damage = {0, 0, width, height};
    frame->pixels.assign(size_t(width) * height, colour);
    return frame;
}

}

class GuestViewTest : public QObject {
    Q_OBJECT

private slots:
    void tellsWhenTheFreePointerIsAtTheUpperEdge()
    {
        GuestView view(Renderer::painter);
        QSignalSpy touched(&view, &GuestView::upperEdgeTouched);
        const auto moveTo = [&](QPointF at) {
            QMouseEvent event(QEvent::MouseMove, at, view.mapToGlobal(at), Qt::NoButton, Qt::NoButton, Qt::NoModifier);
            QCoreApplication::sendEvent(&view, &event);
        };
        moveTo({50, 50});
        QCOMPARE(touched.size(), 0);
        moveTo({50, 0});
        QCOMPARE(touched.size(), 1);
    }

    void placesTheGuest_data()
    {
        QTest::addColumn<QSize>("guest");
        QTest::addColumn<QSize>("view");
        QTest::addColumn<int>("scaling");
        QTest::addColumn<QRect>("expected");
        const int fit = int(Scaling::fit), integer = int(Scaling::integer), native = int(Scaling::native);
        QTest::newRow("same") << QSize(640, 480) << QSize(640, 480) << fit << QRect(0, 0, 640, 480);
        QTest::newRow("wide") << QSize(640, 480) << QSize(1000, 480) << fit << QRect(180, 0, 640, 480);
        QTest::newRow("tall") << QSize(640, 480) << QSize(640, 680) << fit << QRect(0, 100, 640, 480);
        QTest::newRow("half") << QSize(640, 480) << QSize(320, 240) << fit << QRect(0, 0, 320, 240);
        QTest::newRow("no pixel lost") << QSize(1366, 768) << QSize(5120, 2880) << fit << QRect(0, 0, 5120, 2879);
        QTest::newRow("twice") << QSize(640, 480) << QSize(1500, 1000) << integer << QRect(110, 20, 1280, 960);
        QTest::newRow("too small for whole") << QSize(640, 480) << QSize(320, 240) << integer << QRect(0, 0, 320, 240);
        QTest::newRow("native") << QSize(640, 480) << QSize(1500, 1000) << native << QRect(430, 260, 640, 480);
        QTest::newRow("no guest") << QSize(0, 0) << QSize(640, 480) << fit << QRect();
        QTest::newRow("no view") << QSize(640, 480) << QSize(0, 480) << fit << QRect();
        QTest::newRow("sliver") << QSize(10000, 1) << QSize(100, 100) << fit << QRect(0, 49, 100, 1);
    }
    void placesTheGuest()
    {
        QFETCH(QSize, guest);
        QFETCH(QSize, view);
        QFETCH(int, scaling);
        QFETCH(QRect, expected);
        const QRect placed = placeGuest(guest, view, Scaling(scaling));
        if (QByteArray(QTest::currentDataTag()) == "no pixel lost") {
            QCOMPARE(placed.width(), 5120);
            QVERIFY(placed.height() == 2878 || placed.height() == 2879);
            return;
        }
        QCOMPARE(placed, expected);
    }

    void placesDamageGenerously()
    {
        const QRect placement(100, 50, 1280, 960);
        QCOMPARE(placeDamage(QRect(0, 0, 640, 480), QSize(640, 480), placement), placement);
        const QRect one = placeDamage(QRect(10, 10, 1, 1), QSize(640, 480), placement);
        QVERIFY(one.contains(QRect(120, 70, 2, 2)));
        QVERIFY(one.width() < 12);
        QVERIFY(placeDamage({}, QSize(640, 480), placement).isEmpty());
    }

    void gathersDamage()
    {
        Picture shown;
        shown.put(picture(1, 100, 100, 0));
        QCOMPARE(shown.damage(), QRect(0, 0, 100, 100));
        shown.drawn();
        auto next = picture(2, 100, 100, 0);
        next->damage = {10, 10, 5, 5};
        shown.put(next);
        QCOMPARE(shown.damage(), QRect(10, 10, 5, 5));
        next = picture(3, 100, 100, 0);
        next->damage = {90, 90, 500, 500};
        shown.put(next);
        QCOMPARE(shown.damage(), QRect(10, 10, 90, 90));
        shown.drawn();
        next = picture(9, 100, 100, 0);    // pictures between were missed
        next->damage = {0, 0, 1, 1};
        shown.put(next);
        QCOMPARE(shown.damage(), QRect(0, 0, 100, 100));
        shown.drawn();
        auto broken = picture(10, 100, 100, 0);
        broken->pixels.resize(5);
        shown.put(broken);
        QVERIFY(shown.damage().isEmpty());
    }

    void refusesImpossiblePictures()
    {
        auto broken = picture(1, 100, 100, 0);
        broken->width = 70000;
        QVERIFY(imageOf(*broken).isNull());
        QVERIFY(imageOf(engine::Frame()).isNull());
        QVERIFY(!savePicture(*broken, "/tmp/never.png"));
        QVERIFY(!savePicture(*picture(1, 4, 4, 0), "/nowhere/at/all.png"));
    }

    void savesPictures()
    {
        QTemporaryDir folder;
        const QString path = folder.filePath("a.png");
        QVERIFY(savePicture(*picture(1, 4, 3, 0xff123456), path));
        const QImage read(path);
        QCOMPARE(read.size(), QSize(4, 3));
        QCOMPARE(read.pixel(1, 1), 0xff123456u);
    }

    void drawsFrames_data()
    {
        QTest::addColumn<int>("renderer");
        QTest::newRow("painter") << int(Renderer::painter);
        QTest::newRow("OpenGL") << int(Renderer::opengl);
    }
    void drawsFrames()
    {
        QFETCH(int, renderer);
        GuestView view{Renderer(renderer)};
        if (Renderer(renderer) == Renderer::opengl && view.rendererName() != "OpenGL")
            QSKIP("no OpenGL on this display");
        view.resize(400, 200);
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        for (const Filter filter : {Filter::nearest, Filter::sharp, Filter::smooth}) {
            view.setFilter(filter);
            auto frame = picture(1, 100, 100, 0xffff8000);
            for (engine::u32 x = 0; x < 100; ++x)
                frame->pixels[x] = 0xff0000ff;    // the topmost row
            view.showFrame(frame);
            auto next = std::make_shared<engine::Frame>(*frame);
            next->number = 2;
            next->damage = {50, 50, 10, 10};
            for (engine::u32 y = 50; y < 60; ++y)
                std::fill_n(next->pixels.begin() + y * 100 + 50, 10, 0xff00ff00);
            QTest::qWait(30);
            view.showFrame(next);
            QTest::qWait(30);
            const QImage seen = view.grab().toImage();
            QCOMPARE(seen.pixelColor(10, 100), QColor(Qt::black));
            QCOMPARE(seen.pixelColor(150, 100), QColor(0xff, 0x80, 0));
            QCOMPARE(seen.pixelColor(210, 110), QColor(0, 0xff, 0));
            QVERIFY(seen.pixelColor(200, 0).blue() > 128);    // not upside down
        }
    }

    void sendsKeysAndLetsThemGo()
    {
        QWidget window;
        GuestView view(Renderer::painter, &window);
        window.show();
        QApplication::setActiveWindow(&window);
        view.setFocus();
        QVERIFY(QTest::qWaitForWindowExposed(&window));
        QSignalSpy keys(&view, &GuestView::key);
        QTest::keyPress(&view, Qt::Key_Tab);
        QTest::keyPress(&view, Qt::Key_A);
        QCOMPARE(keys.size(), 2);
        QCOMPARE(keys.at(0).at(0).toInt(), 0x0f);
        QFocusEvent lost(QEvent::FocusOut);
        QCoreApplication::sendEvent(&view, &lost);
        QCOMPARE(keys.size(), 4);
        QVERIFY(!keys.at(2).at(1).toBool() && !keys.at(3).at(1).toBool());
        QTest::keyRelease(&view, Qt::Key_A);
        QCOMPARE(keys.size(), 4);
    }

    void capturesOnClickAndFreesOnCtrlAlt()
    {
        GuestView view(Renderer::painter);
        view.resize(300, 300);
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        QSignalSpy pointer(&view, &GuestView::pointer);
        QTest::mouseClick(&view, Qt::LeftButton);
        QVERIFY(view.isCaptured());
        QCOMPARE(pointer.size(), 0);    // the capturing click is not the guest's
        QTest::mousePress(&view, Qt::RightButton);
        QCOMPARE(pointer.last().at(3).toInt(), 2);
        QTest::mouseRelease(&view, Qt::RightButton);
        QCOMPARE(pointer.last().at(3).toInt(), 0);
        QLabel* hint = view.findChild<QLabel*>();
        QVERIFY(hint && hint->isVisible() && hint->text().contains("Ctrl+Alt"));
        QTest::keyPress(&view, Qt::Key_Control);
        QTest::keyPress(&view, Qt::Key_Alt, Qt::ControlModifier);
        QVERIFY(view.isCaptured());
        QTest::keyRelease(&view, Qt::Key_Alt, Qt::ControlModifier);
        QVERIFY(!view.isCaptured());
        QVERIFY(!hint->isVisible());
    }
};

QTEST_MAIN(GuestViewTest)
#include "guest_view_test.moc"
