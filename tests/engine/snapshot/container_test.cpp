#include "engine/snapshot/container.h"

#include <gtest/gtest.h>

namespace engine {

namespace {

constexpr FourCc kind = four_cc("TEST"), one = four_cc("ONE "), two = four_cc("TWO ");
constexpr std::array known{one};

std::vector<u8> sample()
{
    ContainerWriter out(kind);
    out.add(one, "first", std::vector<u8>(10000, 7), ContainerWriter::Need::required, ContainerWriter::Packing::zstd);
    out.add(one, "second", std::vector<u8>{1, 2, 3});
    return out.finish();
}

Result<Container> parse(std::span<const u8> bytes)
{
    return Container::parse(bytes, kind, known, "a file");
}

TEST(Container, GivesBackWhatWasPutIn)
{
    const auto bytes = sample();
    EXPECT_LT(bytes.size(), 400u);
    const auto container = parse(bytes);
    ASSERT_TRUE(container) << container.error().text();
    ASSERT_TRUE(container.value().find(one, "first"));
    EXPECT_EQ(container.value().find(one, "first")->payload, std::vector<u8>(10000, 7));
    EXPECT_EQ(container.value().find(one, "second")->payload, (std::vector<u8>{1, 2, 3}));
    EXPECT_FALSE(container.value().find(one, "third"));
}

TEST(Container, RefusesEveryFlippedBit)
{
    const auto good = sample();
    for (std::size_t at = 0; at < good.size(); ++at)
        for (unsigned bit = 0; bit < 8; ++bit) {
            auto bad = good;
            bad[at] = u8(bad[at] ^ 1u << bit);
            const auto container = parse(bad);
            ASSERT_FALSE(container) << "byte " << at << " bit " << bit;
            EXPECT_FALSE(container.error().why.empty());
        }
}

TEST(Container, RefusesEveryShorterFile)
{
    const auto good = sample();
    for (std::size_t size = 0; size < good.size(); ++size)
        EXPECT_FALSE(parse(std::span(good).first(size))) << size;
}

TEST(Container, ShowsTheFrontOfAFileThatGoesOn)
{
    ContainerWriter out(kind);
    out.add(one, "first", std::vector<u8>{1});
    out.add(one, "second", std::vector<u8>(1000, 1));
    const auto bytes = out.finish();
    const auto front = Container::parse(std::span(bytes).first(200), kind, known, "a file", Container::Part::front);
    ASSERT_TRUE(front);
    EXPECT_TRUE(front.value().find(one, "first"));
    EXPECT_FALSE(front.value().find(one, "second"));
}

TEST(Container, PassesOverOptionalSectionsAndRefusesUnknownOnesThatAreRequired)
{
    for (const auto need : {ContainerWriter::Need::optional, ContainerWriter::Need::required}) {
        ContainerWriter out(kind);
        out.add(two, {}, std::vector<u8>{1}, need);
        out.add(one, {}, std::vector<u8>{2});
        const auto container = parse(out.finish());
        EXPECT_EQ(bool(container), need == ContainerWriter::Need::optional);
        if (!container) {
            EXPECT_NE(container.error().why.find("TWO"), std::string::npos);
        }
    }
}

TEST(Container, KeepsFieldsByName)
{
    StateMap fields;
    fields.scalars["number"] = ~u64(0);
    fields.blobs["bytes"] = {1, 2, 3};
    fields.blobs["none"] = {};
    const auto read = unpack_fields(pack_fields(fields), "a file");
    ASSERT_TRUE(read);
    EXPECT_EQ(read.value(), fields);
    auto cut = pack_fields(fields);
    cut.pop_back();
    EXPECT_FALSE(unpack_fields(cut, "a file"));
}

}

}
