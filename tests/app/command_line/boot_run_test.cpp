#include "app/command_line/boot_run.h"

#include <gtest/gtest.h>

#include <QEventLoop>

#include "tests/app/command_line/fake_machine.h"

namespace app {
namespace {

using Kind = engine::StopReason::Kind;

// Runs the steps on a machine that `behave` gives its ways, and keeps what came of it.
class BootRunTest : public testing::Test {
protected:
    void run(QStringList words, const std::function<void(FakeMachine&)>& behave)
    {
        const auto arguments = Arguments::parse(bootCommand(), words);
        ASSERT_TRUE(arguments) << arguments.error().text();
        auto plan = bootPlan(arguments.value());
        ASSERT_TRUE(plan) << plan.error().text();
        FakeMachine* machine = nullptr;
        auto session = MachineSession::open(
            plan->definition,
            [&](const engine::MachineDefinition&,
                engine::Listener& listener) -> engine::Result<std::unique_ptr<engine::Machine>> {
                auto fake = std::make_unique<FakeMachine>(listener);
                machine = fake.get();
                return std::unique_ptr<engine::Machine>(std::move(fake));
            });
        ASSERT_TRUE(session);
        auto serial = SerialSink::open({});
        BootRun boot(**session, *plan, std::move(*serial), [this](const engine::Frame&, const QString& path) {
            pictures += path;
            return engine::Result<void>();
        });
        QEventLoop loop;
        QObject::connect(&boot, &BootRun::finished, &loop, [&](int exitCode, const QString& words_said) {
            code = exitCode;
            report = words_said.toStdString();
            loop.quit();
        });
        QTimer::singleShot(0, &boot, [&] {
            boot.start();
            behave(*machine);
        });
        QTimer::singleShot(10'000, &loop, &QEventLoop::quit);
        loop.exec();
    }
    bool reported(std::string_view words) const { return report.find(words) != std::string::npos; }

    int code = -1;
    std::string report;
    QStringList pictures;
};

TEST_F(BootRunTest, MeetsStepsInOrder)
{
    std::vector<engine::u16> keys;
    run({"--expect-screen", R"(^A:\\>$)", "--keys", "v<ret>", "--expect-serial", "Free(DOS|Com)"}, [&](FakeMachine& machine) {
        machine.screen = "Starting\nA:\\>";
        machine.pressed = [&](FakeMachine& self, engine::u16 key) {
            keys.push_back(key);
            if (key == 0x1c)
                self.say("FreeDOS kernel\r\n");
        };
    });
    EXPECT_EQ(code, 0);
    EXPECT_EQ(keys, (std::vector<engine::u16>{0x2f, 0x1c}));
}

TEST_F(BootRunTest, SearchesTheSerialPortFromTheLastMatchOn)
{
    run({"--expect-serial", "login:", "--expect-serial", "login:", "--timeout", "0.5"},
        [](FakeMachine& machine) { machine.say("login: "); });
    EXPECT_EQ(code, 3);
    EXPECT_TRUE(reported("Step 2 of 2 was not met: --expect-serial “login:”"));
    run({"--expect-serial", "login:", "--expect-serial", "login:", "--timeout", "5"},
        [](FakeMachine& machine) { machine.say("login: root\r\nlogin: "); });
    EXPECT_EQ(code, 0);
}

TEST_F(BootRunTest, MatchesLinesWithoutTheirCarriageReturns)
{
    run({"--expect-serial", "^done$", "--timeout", "5"}, [](FakeMachine& machine) { machine.say("going\r\ndone\r\n"); });
    EXPECT_EQ(code, 0);
}

TEST_F(BootRunTest, LeavesAPictureAndTheLastWordsWhenTheTimeIsUp)
{
    run({"--expect-screen", "prompt", "--timeout", "0.3"}, [](FakeMachine& machine) {
        machine.screen = "Kernel panic";
        machine.say("not syncing\r\n");
    });
    EXPECT_EQ(code, 3);
    EXPECT_EQ(pictures, QStringList("paddock-timeout.png"));
    EXPECT_TRUE(reported("Kernel panic"));
    EXPECT_TRUE(reported("not syncing"));
}

TEST_F(BootRunTest, FailsWhenTheGuestStopsBeforeTheLastStep)
{
    run({"--expect-screen", "prompt"}, [](FakeMachine& machine) { machine.stop(Kind::powered_off); });
    EXPECT_EQ(code, 4);
    EXPECT_TRUE(reported("switched itself off"));
    run({"--expect-screen", "prompt"}, [](FakeMachine& machine) { machine.stop(Kind::crashed, 0, "it reset for ever"); });
    EXPECT_EQ(code, 4);
    EXPECT_TRUE(reported("it reset for ever"));
}

TEST_F(BootRunTest, CountsWhatTheGuestSaidLast)
{
    run({"--expect-serial", "Power down"}, [](FakeMachine& machine) {
        machine.say("reboot: Power down");
        machine.stop(Kind::powered_off);
    });
    EXPECT_EQ(code, 0);
}

TEST_F(BootRunTest, WithoutStepsTheGuestsPowerOffIsSuccess)
{
    run({}, [](FakeMachine& machine) { machine.stop(Kind::powered_off); });
    EXPECT_EQ(code, 0);
    run({}, [](FakeMachine& machine) { machine.stop(Kind::crashed, 0, "triple fault"); });
    EXPECT_EQ(code, 4);
}

TEST_F(BootRunTest, HandsOnTheExitCodeOfATestDevice)
{
    run({"--test-device"}, [](FakeMachine& machine) { machine.stop(Kind::guest_exit, 33); });
    EXPECT_EQ(code, 33);
}

TEST_F(BootRunTest, TakesTheScreenshotAtTheEnd)
{
    run({"--expect-screen", "up", "--screenshot", "end.png"}, [](FakeMachine& machine) { machine.screen = "up"; });
    EXPECT_EQ(code, 0);
    EXPECT_EQ(pictures, QStringList("end.png"));
}

TEST(BootPlan, RefusesInWords)
{
    const auto refusal = [](const QStringList& words) {
        const auto arguments = Arguments::parse(bootCommand(), words);
        const auto plan = bootPlan(arguments.value());
        return plan ? std::string("accepted") : plan.error().text();
    };
    EXPECT_NE(refusal({"--expect-screen", "("}).find("is no regular expression"), std::string::npos);
    EXPECT_NE(refusal({"--keys", "<nokey>"}).find("nokey"), std::string::npos);
    EXPECT_NE(refusal({"--timeout", "soon"}).find("--timeout cannot be “soon”"), std::string::npos);
    EXPECT_NE(refusal({"--timeout", "-1"}).find("--timeout"), std::string::npos);
    EXPECT_NE(refusal({"--memory", "much"}).find("--memory cannot be “much”"), std::string::npos);
    EXPECT_NE(refusal({"--accel", "warp"}).find("--accel cannot be “warp”"), std::string::npos);
    EXPECT_NE(refusal({"--initrd", "x"}).find("no --kernel was given"), std::string::npos);
    EXPECT_NE(refusal({"--screenshot", "/nowhere/at/all.png"}).find("/nowhere/at"), std::string::npos);
    EXPECT_EQ(refusal({"--memory", "64", "--timeout", "0.5"}), "accepted");
}

}
}
