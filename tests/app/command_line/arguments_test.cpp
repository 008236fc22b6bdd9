#include "app/command_line/arguments.h"

#include <gtest/gtest.h>

namespace app {
namespace {

const Command command{"boot", {"NAME"}, "", {{"--memory", "MIB", ""}, {"--keys", "KEYS", ""}, {"--headless", "", ""}}, {}};

std::string refusal(const QStringList& words)
{
    const auto parsed = Arguments::parse(command, words);
    return parsed ? "accepted" : parsed.error().text();
}

TEST(Arguments, ReadsBothWaysOfGivingAValue)
{
    const auto parsed = Arguments::parse(command, {"--memory", "64", "--keys=a=b", "dos"});
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed.value().value("--memory"), QString("64"));
    EXPECT_EQ(parsed.value().value("--keys"), QString("a=b"));
    EXPECT_EQ(parsed.value().positional(0), "dos");
    EXPECT_FALSE(parsed.value().has("--headless"));
}

TEST(Arguments, KeepsTheOrderOfOptions)
{
    const auto parsed = Arguments::parse(command, {"--keys", "a", "dos", "--headless", "--keys", "b"});
    ASSERT_TRUE(parsed);
    const auto& options = parsed.value().inOrder();
    ASSERT_EQ(options.size(), 3U);
    EXPECT_EQ(options[0].second, "a");
    EXPECT_EQ(options[1].first, "--headless");
    EXPECT_EQ(parsed.value().values("--keys"), QStringList({"a", "b"}));
    EXPECT_EQ(parsed.value().value("--keys"), QString("b"));
}

TEST(Arguments, TakesWhatFollowsTwoDashesAsAName)
{
    const auto parsed = Arguments::parse(command, {"--", "--headless"});
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed.value().positional(0), "--headless");
}

TEST(Arguments, RefusesInWords)
{
    EXPECT_NE(refusal({"dos", "--ram", "1"}).find("--ram is no option of “paddock boot”"), std::string::npos);
    EXPECT_NE(refusal({"dos", "--memory"}).find("--memory needs a value"), std::string::npos);
    EXPECT_NE(refusal({"dos", "--headless=yes"}).find("--headless takes no value"), std::string::npos);
    EXPECT_NE(refusal({}).find("NAME is missing"), std::string::npos);
    EXPECT_NE(refusal({"dos", "box"}).find("“box” is one word too many"), std::string::npos);
}

TEST(Arguments, ReadsSizes)
{
    EXPECT_EQ(bytesFrom("64", 1024), 65536U);
    EXPECT_EQ(bytesFrom("2G", 1), quint64(2) << 30);
    EXPECT_EQ(bytesFrom("512 MiB", 1), quint64(512) << 20);
    EXPECT_EQ(bytesFrom("0", 1), 0U);
    for (const char* wrong : {"", "G", "-1", "+1", "1.5G", "ten", "99999999999T", "1GG", "0x10"})
        EXPECT_FALSE(bytesFrom(wrong, 1)) << wrong;
}

}
}
