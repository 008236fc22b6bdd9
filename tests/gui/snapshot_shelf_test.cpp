#include <QtTest>

#include "app/session/automatic_points.h"
#include "tests/gui/fake_machine.h"
#include "tests/gui/fake_snapshots.h"
#include "ui/snapshots/snapshot_graph.h"
#include "ui/snapshots/words.h"

using engine::SnapshotInfo;
using Kind = SnapshotInfo::Kind;
using app::SnapshotShelf;

class SnapshotShelfTest : public QObject {
    Q_OBJECT

    // One letter a row: its id, or "*" for the present, "+" for what is being taken, after as many dots as its lane.
    static QString drawn(const FakeSnapshots& snapshots, bool pending = false)
    {
        QStringList lines;
        for (const auto& row : ui::layOut(snapshots.all(), QString::fromStdString(snapshots.content->present), pending))
            lines << QString(int(row.lane), u'.')
                    + (row.kind == ui::GraphRow::Kind::here          ? QStringLiteral("*")
                           : row.kind == ui::GraphRow::Kind::pending ? QStringLiteral("+")
                                                                     : row.id);
        return lines.join(u' ');
    }

    static std::vector<app::PointInTime> points(std::initializer_list<int> minutes)
    {
        std::vector<app::PointInTime> all;
        for (const int at : minutes)
            all.push_back({QString::number(at), qint64(at) * 60'000, 100});
        return all;
    }

private slots:
    void nothingIsDrawnWithoutSnapshots()
    {
        QCOMPARE(drawn({}), QString());
        QCOMPARE(drawn({}, true), QString("+ *"));
    }

    void aChainIsALine()
    {
        FakeSnapshots some;
        some.add("a", "", 0);
        some.add("b", "", 1);
        QCOMPARE(drawn(some), QString("a b *"));
        QCOMPARE(drawn(some, true), QString("a b + *"));
    }

    void theWayToThePresentIsStraight()
    {
        FakeSnapshots some;
        some.add("a", "", 0);
        some.add("b", "", 1);
        some.add("c", "", 2);
        some.moveTo("a");
        QCOMPARE(drawn(some), QString("a .b .c *"));
        some.add("d", "", 3);
        QCOMPARE(drawn(some), QString("a .b .c d *"));
        some.moveTo("b");
        QCOMPARE(drawn(some), QString("a .d b .c *"));
        const auto rows = ui::layOut(some.all(), "b", false);
        QVERIFY(rows[1].branchesOff && rows[1].passing == 1 && !rows[1].goesOn);
        QVERIFY(rows[2].grows && rows[2].goesOn);
        QVERIFY(rows[4].grows && !rows[4].goesOn && rows[4].passing == 0);
    }

    void automaticPointsAlongTheWayAreLeftOut()
    {
        FakeSnapshots some;
        some.add("a", "", 0);
        some.add("b", "", 1, Kind::automatic);
        some.add("c", "named", 2, Kind::automatic);
        some.add("d", "", 3, Kind::automatic);
        QCOMPARE(drawn(some), QString("a c d *"));
        some.add("e", "", 4);
        QCOMPARE(drawn(some), QString("a c e *"));
        some.moveTo("b");    // where it now branches
        QCOMPARE(drawn(some), QString("a b .c .e *"));
    }

    void parentsInACircleAreNoTrouble()
    {
        FakeSnapshots some;
        some.add("a", "", 0);
        some.add("b", "", 1);
        some.content->all[0].parent = "b";
        some.moveTo("missing");
        QCOMPARE(drawn(some), QString("a b *"));
        some.content->all[0].parent = "a";
        QVERIFY(drawn(some).contains("*"));
        for (auto& snapshot : some.content->all)
            snapshot.kind = Kind::automatic;
        QVERIFY(drawn(some).contains("*"));
    }

    void manyBranchesStayWithinTheirLanes()
    {
        FakeSnapshots some;
        for (int at = 0; at < 200; ++at) {
            some.add(qPrintable(QString::number(1000 + at)), "", at);
            if (at % 2)
                some.moveTo(qPrintable(QString::number(1000 + at - 1)));
        }
        for (const auto& row : ui::layOut(some.all(), "1000", false))
            QVERIFY(row.lane < ui::most_lanes);
    }

    void thinningKeepsTheNewestAndTheOldest()
    {
        QCOMPARE(app::pointsToDrop(points({0, 1, 2, 3}), 4 * 60'000, 1000, 64), QStringList());
        const QStringList dropped = app::pointsToDrop(points({0, 1, 2, 3}), 4 * 60'000, 200, 64);
        QCOMPARE(dropped.size(), 2);
        QVERIFY(!dropped.contains("0") && !dropped.contains("3"));
        QCOMPARE(app::pointsToDrop(points({0, 3}), 4 * 60'000, 100, 64), QStringList{"0"});
        QCOMPARE(app::pointsToDrop(points({3}), 4 * 60'000, 1, 64), QStringList());
        QCOMPARE(app::pointsToDrop({}, 0, 0, 0), QStringList());
    }

    // A point each minute of a day: an hour back the neighbours are minutes apart, at its beginning hours.
    void thinningLeavesAgesThatGrowExponentially()
    {
        std::vector<app::PointInTime> kept;
        for (int minute = 0; minute < 24 * 60; ++minute) {
            kept.push_back({QString::number(minute), qint64(minute) * 60'000, 100});
            for (const QString& id : app::pointsToDrop(kept, qint64(minute) * 60'000 + 1, 1600, 64))
                std::erase_if(kept, [&](const auto& point) { return point.id == id; });
            QVERIFY(kept.size() <= 16);
        }
        QCOMPARE(kept.size(), size_t(16));
        const qint64 now = 24 * 60;
        for (size_t at = 2; at + 1 < kept.size(); ++at) {
            const double age = double(now - kept[at].takenAt / 60'000);
            const double gap = double(kept[at].takenAt - kept[at - 1].takenAt) / 60'000;
            QVERIFY2(gap <= 2 * age + 1, qPrintable(QStringLiteral("%1 before one of age %2").arg(gap).arg(age)));
        }
        QVERIFY(now - kept[kept.size() - 4].takenAt / 60'000 < 15);
    }

    void thinningSparesWhatEndsABranchWhileItCan()
    {
        auto some = points({0, 1, 2, 3});
        some[1].endsBranch = true;
        QCOMPARE(app::pointsToDrop(some, 4 * 60'000, 300, 64), QStringList{"2"});
        some[2].droppable = false;
        QCOMPARE(app::pointsToDrop(some, 4 * 60'000, 300, 64), QStringList{"0"});
        some[0].droppable = false;
        QCOMPARE(app::pointsToDrop(some, 4 * 60'000, 300, 64), QStringList{"1"});
    }

    void datesAreSpokenOf()
    {
        const QDateTime now(QDate(2026, 3, 12), QTime(12, 0));
        QVERIFY(ui::dateInWords(now.addSecs(-60), now).startsWith("Today"));
        QVERIFY(ui::dateInWords(now.addDays(-1), now).startsWith("Yesterday"));
        QVERIFY(ui::dateInWords(now.addDays(-3), now).startsWith(QLocale().dayName(1)));
        QVERIFY(ui::dateInWords(now.addDays(-30), now).contains("26"));
        QVERIFY(!ui::dateInWords(now.addDays(1), now).contains("ester"));
    }

    void oneThingIsAskedAfterTheOther()
    {
        FakeSession fake("guest", "/nowhere");
        FakeSnapshots some;
        SnapshotShelf shelf(*fake.session, some.factory());
        QSignalSpy taken(&shelf, &SnapshotShelf::taken), back(&shelf, &SnapshotShelf::wentBack);
        bool keptIsListed = false;
        connect(&shelf, &SnapshotShelf::wentBack, this, [&](auto, const QString& kept) { keptIsListed = shelf.find(kept); });
        fake.session->start();
        shelf.take(Kind::manual);
        QVERIFY(shelf.isTaking());
        shelf.take(Kind::manual);    // while one is under way
        shelf.setNameToCome("  before");
        QTRY_COMPARE(fake.machine->takes.size(), size_t(1));
        shelf.goBack("0", SnapshotShelf::Present::kept, "why");
        QTest::qWait(20);
        QCOMPARE(fake.machine->takes.size(), size_t(1));
        fake.machine->listener.snapshot_taken(some.add("1", "", 1));
        QTRY_COMPARE(taken.size(), 1);
        QTRY_VERIFY(!shelf.isTaking());
        QTRY_COMPARE(fake.machine->takes.size(), size_t(2));
        QCOMPARE(fake.machine->takes[1].note, std::string("why"));
        QVERIFY(fake.machine->takes[1].kind == Kind::automatic && fake.machine->restores.isEmpty());
        fake.machine->listener.snapshot_taken(some.add("2", "", 2, Kind::automatic));
        QTRY_COMPARE(fake.machine->restores, QStringList{"0"});
        fake.machine->listener.snapshot_restored("0");
        QTRY_COMPARE(back.size(), 1);
        QCOMPARE(back[0][1].toString(), QString("2"));
        QVERIFY(keptIsListed);
        QTRY_COMPARE(QString::fromStdString(shelf.find("1")->name), QString("  before"));
    }

    void whatCanNotBeKeptIsNotLeft()
    {
        FakeSession fake("guest", "/nowhere");
        FakeSnapshots some;
        SnapshotShelf shelf(*fake.session, some.factory());
        QSignalSpy failed(&shelf, &SnapshotShelf::goingBackFailed);
        fake.session->start();
        shelf.goBack("0", SnapshotShelf::Present::kept);
        QTRY_COMPARE(fake.machine->takes.size(), size_t(1));
        fake.machine->listener.snapshot_failed({"It was not taken", "the disk is full", ""});
        QTRY_COMPARE(failed.size(), 1);
        QTest::qWait(20);
        QVERIFY(fake.machine->restores.isEmpty());
        shelf.goBack("0", SnapshotShelf::Present::lost);
        QTRY_COMPARE(fake.machine->restores, QStringList{"0"});
    }

    void aPausedMachineThatWasKeptIsNotKeptAgain()
    {
        FakeSession fake("guest", "/nowhere");
        FakeSnapshots some;
        SnapshotShelf shelf(*fake.session, some.factory());
        fake.session->start();
        fake.session->pause();
        shelf.take(Kind::manual);
        QTRY_COMPARE(fake.machine->takes.size(), size_t(1));
        fake.machine->listener.snapshot_taken(some.add("1", "", 1));
        QTRY_VERIFY(!shelf.isTaking());
        shelf.goBack("0", SnapshotShelf::Present::kept);
        QTRY_COMPARE(fake.machine->restores.size(), 1);
        QCOMPARE(fake.machine->takes.size(), size_t(1));
    }

    void deletedSnapshotsComeBackUntilTheEnd()
    {
        FakeSession fake("guest", "/nowhere");
        FakeSnapshots some;
        some.add("1", "one", 1);
        some.add("2", "two", 2);
        {
            SnapshotShelf shelf(*fake.session, some.factory());
            QTRY_COMPARE(shelf.all().size(), size_t(2));
            shelf.remove("1");
            QTRY_COMPARE(shelf.all().size(), size_t(1));
            QVERIFY(shelf.canUndoRemove());
            shelf.undoRemove("1");
            QTRY_COMPARE(shelf.all().size(), size_t(2));
            QVERIFY(!shelf.canUndoRemove());
            shelf.remove("2");
            QTRY_COMPARE(shelf.all().size(), size_t(1));
            QCOMPARE(some.content->sweeps, 0);
            {
                const std::lock_guard lock(some.content->mutex);
                some.content->refusal = engine::Error{"It can't be deleted", "the disk says no", ""};
            }
            QSignalSpy failed(&shelf, &SnapshotShelf::changeFailed);
            shelf.remove("1");
            QTRY_COMPARE(failed.size(), 1);
            QTRY_COMPARE(QString::fromStdString(shelf.lastRemoved().id), QString("2"));
        }
        QCOMPARE(some.content->sweeps, 1);
        QVERIFY(some.content->removed.empty());
    }

    void automaticPointsFollowTheSettingsButForTrials()
    {
        const QTemporaryDir folder;
        app::Settings settings(folder.filePath("settings.ini"));
        settings.set(app::setting::automatic_points, app::choice::AutomaticPoints::every15Minutes);
        for (const bool trial : {false, true}) {
            FakeSession fake("guest", "/nowhere", trial);
            FakeSnapshots some;
            SnapshotShelf shelf(*fake.session, some.factory());
            app::AutomaticPoints automatic(shelf, *fake.session);
            QCOMPARE(automatic.interval().count(), 0);
            automatic.follow(settings);
            QCOMPARE(automatic.interval(), std::chrono::minutes(trial ? 0 : 15));
        }
    }

    void automaticPointsAreThinnedButNotWhatAPersonTouched()
    {
        FakeSession fake("guest", "/nowhere");
        FakeSnapshots some;
        some.add("m", "", 0);
        some.add("0", "", 1, Kind::automatic);
        some.add("1", "mine", 2, Kind::automatic);
        some.add("2", "", 3, Kind::automatic);
        some.add("3", "", 4, Kind::automatic);
        SnapshotShelf shelf(*fake.session, some.factory());
        app::AutomaticPoints automatic(shelf, *fake.session);
        QTRY_COMPARE(shelf.all().size(), size_t(5));
        automatic.setBudget(1);
        QTRY_COMPARE(shelf.all().size(), size_t(3));
        QVERIFY(shelf.find("m") && shelf.find("1") && shelf.find("3"));
        QTRY_COMPARE(some.content->drops, 1);
        QTRY_VERIFY(fake.machine->merges > 0);
        QCOMPARE(some.content->sweeps, 0);
    }
};

QTEST_MAIN(SnapshotShelfTest)
#include "snapshot_shelf_test.moc"
