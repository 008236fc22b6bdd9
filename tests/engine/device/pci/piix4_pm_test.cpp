#include <gtest/gtest.h>

#include "engine/device/pci/piix4_pm.h"
#include "engine/state/state_map.h"

using namespace engine;

namespace {
struct Board {
    AddressSpace memory;
    PortSpace ports;
    ManualClock clock;
    DeadlineQueue deadlines{clock};
    bool sci = false;
    int smis = 0, power_offs = 0;
    Piix4Pm pm;

    explicit Board(bool smm = false)
        : pm(
            {.pci = {memory, ports},
             .deadlines = deadlines,
             .sci = [this](bool level) { sci = level; },
             .smi = smm ? std::function<void()>([this] { ++smis; }) : nullptr,
             .power_off = [this] { ++power_offs; }})
    {
        pm.claim(ports);
        pm.write_config(0x40, 0x601, 4);
        pm.write_config(0x80, 1, 1);
    }
    void pass(u64 nanoseconds)
    {
        clock.advance(nanoseconds);
        deadlines.run_due();
    }
};
constexpr u64 second = 1'000'000'000;
}

TEST(Piix4Pm, counts_at_3_579545_mhz)
{
    Board b;
    EXPECT_EQ(b.ports.read(0x608, 4), 0u);
    b.pass(second);
    EXPECT_EQ(b.ports.read(0x608, 4), 3579545u);
    EXPECT_EQ(b.ports.read(0x609, 1), 3579545u >> 8 & 0xff);
    b.pass(9 * second);
    EXPECT_EQ(b.ports.read(0x608, 4), 35795450u & 0xffffff);
}

TEST(Piix4Pm, the_timer_interrupts_when_its_top_bit_changes)
{
    Board b;
    b.ports.write(0x604, 1, 2);
    b.ports.write(0x602, 1, 2);
    EXPECT_FALSE(b.sci);
    b.pass(2'343'000'000);
    EXPECT_FALSE(b.sci);
    b.pass(1'000'000);    // 2^23 ticks are 2.3435 s
    EXPECT_TRUE(b.sci);
    EXPECT_EQ(b.ports.read(0x600, 2), 1u);
    b.ports.write(0x600, 1, 2);
    EXPECT_FALSE(b.sci);
    b.pass(2'344'000'000);
    EXPECT_TRUE(b.sci);
}

TEST(Piix4Pm, the_power_button_raises_an_sci)
{
    Board b;
    b.pm.press_power_button();
    EXPECT_FALSE(b.sci);
    b.ports.write(0x602, 0x0100, 2);
    EXPECT_FALSE(b.sci);
    b.ports.write(0xb2, 0xf1, 1);
    EXPECT_EQ(b.ports.read(0x604, 2), 1u);
    EXPECT_TRUE(b.sci);
    b.ports.write(0x600, 0x0100, 2);
    EXPECT_FALSE(b.sci);
    b.ports.write(0xb2, 0xf0, 1);
    EXPECT_EQ(b.ports.read(0x604, 2), 0u);
}

TEST(Piix4Pm, s5_powers_off_and_other_states_do_not)
{
    Board b;
    b.ports.write(0x604, 0x2401, 2);
    EXPECT_EQ(b.power_offs, 0);
    b.ports.write(0x604, 0x2001, 2);
    EXPECT_EQ(b.power_offs, 1);
    EXPECT_EQ(b.ports.read(0x604, 2), 1u);
}

TEST(Piix4Pm, firmware_sees_smm_only_where_there_is_some)
{
    Board without;
    EXPECT_EQ(without.pm.read_config(0x5b, 1), 2u);
    without.pm.reset();
    EXPECT_EQ(without.pm.read_config(0x5b, 1), 2u);
    Board with(true);
    EXPECT_EQ(with.pm.read_config(0x5b, 1), 0u);
    with.ports.write(0xb2, 1, 1);
    EXPECT_EQ(with.smis, 0);
    with.pm.write_config(0x58, 0x02000000, 4);
    with.ports.write(0xb2, 1, 1);
    EXPECT_EQ(with.smis, 1);
    with.ports.write(0xb3, 0x5a, 1);
    EXPECT_EQ(with.ports.read(0xb3, 1), 0x5au);
}

TEST(Piix4Pm, general_purpose_events)
{
    Board b;
    b.ports.write(0x604, 1, 2);
    b.ports.write(0xafe2, 0x0002, 2);
    b.pm.raise_gpe(1);
    EXPECT_TRUE(b.sci);
    EXPECT_EQ(b.ports.read(0xafe0, 4), 0x00020002u);
    b.ports.write(0xafe0, 0x02, 1);
    EXPECT_FALSE(b.sci);
}

TEST(Piix4Pm, nothing_answers_on_the_smbus)
{
    Board b;
    b.pm.write_config(0x90, 0x701, 4);
    b.pm.write_config(0xd2, 9, 1);
    EXPECT_EQ(b.ports.read(0x700, 1), 0u);
    b.ports.write(0x704, 0xa1, 1);
    b.ports.write(0x702, 0x48, 1);
    EXPECT_EQ(b.ports.read(0x702, 1), 0x08u);
    EXPECT_EQ(b.ports.read(0x700, 1), 4u);
    b.ports.write(0x700, 0x1e, 1);
    EXPECT_EQ(b.ports.read(0x700, 1), 0u);
}

TEST(Piix4Pm, state_survives_a_round_trip)
{
    Board b;
    b.ports.write(0x604, 1, 2);
    b.ports.write(0x602, 0x0101, 2);
    b.pm.press_power_button();
    b.ports.write(0x620, 0x12345678, 4);
    StateSaver saved;
    b.pm.visit(saved);

    Board c;
    c.pm.reset();
    EXPECT_EQ(c.ports.read(0x608, 4), 0xffffffffu);
    StateLoader loader(saved.map);
    c.pm.visit(loader);
    ASSERT_TRUE(c.pm.restored());
    EXPECT_TRUE(c.sci);
    EXPECT_EQ(c.ports.read(0x620, 4), 0x12345678u);
    StateSaver again;
    c.pm.visit(again);
    EXPECT_EQ(saved.map, again.map);

    saved.map.scalars["smbus.block_index"] = 200;
    StateLoader broken(saved.map);
    c.pm.visit(broken);
    EXPECT_FALSE(c.pm.restored());
}
