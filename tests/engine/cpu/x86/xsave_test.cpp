// XSAVE and its kin against the host's own, on the same bytes, and what CPUID says of them.
#include "engine/cpu/x86/xsave.h"

#include <string_view>

#include <cpuid.h>

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/sse.h"
#include "tests/engine/cpu/x86/handler_rig.h"

using namespace engine;
using namespace engine::x86;
using namespace engine::x86::test;

namespace {

using Page = std::array<u8, 4096>;
using Bytes = std::array<u8, 4>;
constexpr Bytes xsave64{0x48, 0x0f, 0xae, 0x23}, xrstor64{0x48, 0x0f, 0xae, 0x2b}, xsaveopt64{0x48, 0x0f, 0xae, 0x33},
    xsavec64{0x48, 0x0f, 0xc7, 0x23};    // of [RBX]
constexpr unsigned header = 512, image_size = 832;
constexpr u64 all_components = 7, compact = u64(1) << 63;

// Those that the host has too.
u64 host_components()
{
    return all_components | (host_avx512_features() ? xcr0_avx512 : 0);
}

bool host_saves()
{
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
    __get_cpuid_count(0xd, 1, &eax, &ebx, &ecx, &edx);
    return host_features() & feature_avx && (eax & 3) == 3;
}

class XsaveTest : public ::testing::Test {
protected:
    XsaveTest() : values(13)
    {
        model.features |= host_avx512_features();
        c.model = &model;
        for (const Access access : {Access::read, Access::write})
            c.tlb->entry(access, u64(page.data())) = {.tag = u64(page.data()), .host = u64(page.data())};
        randomise();
    }

    void randomise()
    {
        for (unsigned n = 0; n < 16; ++n) {
            c.fpu.xmm[n] = {{values.any() | 1, values.any()}};
            c.fpu.ymm_high[n] = {{values.any() | 1, values.any()}};
            c.fpu.zmm_high[n] = {{values.any() | 1, values.any(), values.any(), values.any()}};
            c.fpu.zmm[n].q.fill(values.any() | 1);
            c.fpu.opmask[n & 7] = values.any() | 1;
            c.gpr[n] = values.any();
        }
        for (X87Register& r : c.fpu.registers)
            r = values.extended();
        c.fpu.control = u16((values.any() & 0xf00) | fcw_initial);
        c.fpu.status = u16(values.any() & (fsw_top | fsw_conditions));
        c.fpu.valid = u8(values.any());
        c.fpu.mxcsr = 0x1f80 | u32(values.any() & 0xe03f);
        for (u8& byte : page)
            byte = u8(values.any());
    }
    void ask_for(u64 components)
    {
        c.gpr[rbx] = u64(page.data());
        c.gpr[rax] = components;
        c.gpr[rdx] = 0;
    }

    int run(std::span<const u8> bytes)
    {
        Insn i{};
        EXPECT_EQ(decode(bytes, c.mode, 0, i), Decoded::ok);
        EXPECT_EQ(i.length, bytes.size());
        return rig.run(i);
    }

    // The host executes first, on a copy of the page's content; `theirs` is what it leaves in memory.
    int run_on_host(std::span<const u8> bytes, Page& theirs)
    {
        rig.to_native(host);
        const Page before = page;
        native.run(host, bytes);
        theirs = page;
        page = before;
        Rig::strip_pointers(host.fx);
        return host.vector;
    }

    // The x87 pointers depend on the maker; so does MXCSR_MASK.
    static void strip_image(Page& image)
    {
        std::fill_n(image.begin() + 6, 18, u8(0));
        std::fill_n(image.begin() + 28, 4, u8(0));
    }

    Rig rig;
    Cpu& c = rig.c;
    NativeProcessor native;
    NativeState host;
    Values values;
    CpuModel model;
    alignas(4096) Page page{};
};

TEST_F(XsaveTest, images_are_the_hosts)
{
    if (!host_saves())
        GTEST_SKIP() << "the host has no XSAVEC, XSAVEOPT or AVX";
    for (const Bytes& bytes : {xsave64, xsaveopt64, xsavec64})
        for (u64 components = 0; components <= host_components(); ++components)
            for (unsigned n = 0; n < (components & ~host_components() ? 0 : 20); ++n) {
                randomise();
                // The header of an image that XSAVE adds to holds no components which there are not.
                store_le<u64>(&page[header], values.below(256) & host_components());
                ask_for(components);
                Page theirs;
                const int vector = run_on_host(bytes, theirs);
                ASSERT_EQ(run(bytes), vector);
                strip_image(theirs);
                strip_image(page);
                for (unsigned at = 0; at < page.size(); ++at)
                    ASSERT_EQ(page[at], theirs[at])
                        << "byte " << at << " of components " << components << ", opcode " << hex(bytes[2]) << hex(bytes[3]);
            }
}

TEST_F(XsaveTest, restores_what_the_host_restores_and_refuses_what_it_refuses)
{
    if (!host_saves())
        GTEST_SKIP() << "the host has no XSAVEC, XSAVEOPT or AVX";
    unsigned refused = 0;
    for (unsigned n = 0; n < 3000; ++n) {
        randomise();
        const bool standard = values.one_in(2), spoilt = values.one_in(4);
        const u64 present = values.below(256) & host_components();
        std::fill_n(page.begin() + header, 64, u8(0));
        store_le<u64>(&page[header], present);
        if (!standard)
            store_le<u64>(&page[header + 8], compact | present | (values.below(256) & host_components()));
        if (spoilt)
            page[header + values.below(64)] ^= u8(1) << values.below(8);
        store_le<u32>(&page[24], values.mxcsr() & 0xffc0);
        if (values.one_in(8))
            store_le<u32>(&page[24], 0x80001f80);
        store_le<u16>(&page[2], u16(load_le<u16>(&page[2]) & (fsw_top | fsw_conditions)));
        store_le<u16>(&page[0], u16(load_le<u16>(&page[0]) | 0x3f));
        for (unsigned r = 0; r < 8; ++r)
            std::fill_n(page.begin() + 42 + 16 * r, 6, u8(0));
        ask_for(values.below(256) & host_components());
        c.gpr[rbx] += values.one_in(16) ? 16 : 0;
        // A component that the host has and the guest has not is not asked about.
        const u64 strange = load_le<u64>(&page[header]) | (load_le<u64>(&page[header + 8]) & ~compact);
        if (strange & ~host_components() & 0xe0)
            continue;
        Page theirs;
        const int vector = run_on_host(xrstor64, theirs);
        ASSERT_EQ(run(xrstor64), vector) << "components " << c.gpr[rax] << ", header " << hex(load_le<u64>(&page[header]), 16)
                                         << ' ' << hex(load_le<u64>(&page[header + 8]), 16);
        refused += vector >= 0;
        if (vector >= 0)
            continue;
        ASSERT_EQ(rig.fx(), host.fx) << "case " << n;
        ASSERT_TRUE(rig.uppers_agree(host)) << "case " << n;
    }
    EXPECT_GT(refused, 100u);
}

TEST_F(XsaveTest, components_at_rest_are_marked_and_left_out)
{
    c.fpu = {};
    c.fpu.ymm_high[3] = {{7, 0}};
    ask_for(all_components);
    page.fill(0xaa);
    ASSERT_EQ(run(xsavec64), -1);
    EXPECT_EQ(load_le<u64>(&page[header]), xcr0_avx);
    EXPECT_EQ(load_le<u64>(&page[header + 8]), compact | all_components);
    EXPECT_EQ(page[0], 0xaa);
    EXPECT_EQ(page[160], 0xaa);
    EXPECT_EQ(load_le<u64>(&page[576 + 48]), 7u);

    std::fill_n(page.begin() + header + 16, 48, u8(0));
    randomise();
    c.fpu.zmm_high = {};
    c.fpu.zmm = {};
    c.fpu.opmask = {};
    const FpuState expected = [] {
        FpuState f;
        f.ymm_high[3] = {{7, 0}};
        return f;
    }();
    std::array<u8, image_size> image{};
    store_le<u64>(&image[header], xcr0_avx);
    store_le<u64>(&image[header + 8], compact | all_components);
    store_le<u64>(&image[576 + 48], 7);
    std::copy(image.begin(), image.end(), page.begin());
    ask_for(all_components);
    ASSERT_EQ(run(xrstor64), -1);
    EXPECT_EQ(c.fpu, expected);
}

TEST_F(XsaveTest, xcr0_takes_only_what_there_is)
{
    constexpr std::array<u8, 3> xsetbv{0x0f, 0x01, 0xd1}, xgetbv{0x0f, 0x01, 0xd0};
    const auto set = [&](u64 value) {
        c.gpr[rcx] = 0;
        c.gpr[rax] = value;
        c.gpr[rdx] = value >> 32;
        return run(xsetbv);
    };
    EXPECT_EQ(set(0), general_protection);
    EXPECT_EQ(set(xcr0_x87 | xcr0_avx), general_protection);
    EXPECT_EQ(set(u64(1) << 40 | xcr0_x87), general_protection);
    EXPECT_EQ(set(8 | xcr0_x87), general_protection);
    model.features |= feature_avx512;
    EXPECT_EQ(set(all_components | xcr0_opmask), general_protection);
    EXPECT_EQ(set(xcr0_x87 | xcr0_sse | xcr0_avx512), general_protection);
    EXPECT_EQ(set(all_components | xcr0_avx512), -1);
    model.features &= ~avx512_features;
    EXPECT_EQ(set(all_components | xcr0_avx512), general_protection);
    EXPECT_EQ(set(xcr0_x87 | xcr0_sse), -1);
    EXPECT_EQ(c.xcr0, xcr0_x87 | xcr0_sse);
    c.gpr[rcx] = 0;
    EXPECT_EQ(run(xgetbv), -1);
    EXPECT_EQ(c.gpr[rax], xcr0_x87 | xcr0_sse);
    c.gpr[rcx] = 2;
    EXPECT_EQ(run(xgetbv), general_protection);
    c.cr4 &= ~cr4_osxsave;
    EXPECT_EQ(run(xgetbv), invalid_opcode);
    EXPECT_EQ(run(xsave64), invalid_opcode);
}

TEST_F(XsaveTest, a_model_without_avx_has_no_upper_halves)
{
    model.features = 0;
    EXPECT_EQ(supported_components(model), xcr0_x87 | xcr0_sse);
    const CpuidResult sizes = cpuid(model, {.xcr0 = 3}, 0xd, 0), avx = cpuid(model, {}, 0xd, 2), one = cpuid(model, {}, 1, 0);
    EXPECT_EQ(sizes.eax, 3u);
    EXPECT_EQ(sizes.ebx, 576u);
    EXPECT_EQ(sizes.ecx, 576u);
    EXPECT_EQ(avx.eax, 0u);
    EXPECT_FALSE(one.ecx & 1u << 28);
}

// What CPUID says an image takes is what XSAVE writes.
TEST_F(XsaveTest, sizes_of_leaf_13_are_those_written)
{
    model.features = feature_avx | feature_avx512;
    for (const u64 components : {xcr0_x87 | xcr0_sse, all_components, all_components | xcr0_avx512}) {
        c.xcr0 = components;
        std::fill(page.begin(), page.end(), u8(0x5a));
        c.fpu.ymm_high.fill({{1, ~u64(0)}});
        for (Zmm& all : c.fpu.zmm)
            all.q.fill(~u64(0));
        ask_for(~u64(0));
        ASSERT_EQ(run(xsave64), -1);
        const u32 size = cpuid(model, {.xcr0 = components}, 0xd, 0).ebx;
        EXPECT_EQ(page[size - 1], components & xcr0_avx ? 0xff : 0x5a);
        EXPECT_EQ(page[size], 0x5a);
    }
    struct Leaf {
        u32 component, size, at;
    };
    for (const auto& [component, size, at] : {Leaf{2, 256, 576}, {5, 64, 1088}, {6, 512, 1152}, {7, 1024, 1664}}) {
        EXPECT_EQ(cpuid(model, {}, 0xd, component).eax, size);
        EXPECT_EQ(cpuid(model, {}, 0xd, component).ebx, at);
    }
    EXPECT_EQ(cpuid(model, {}, 0xd, 0).ecx, 2688u);
    model.features = feature_avx;
    EXPECT_EQ(cpuid(model, {}, 0xd, 6).eax, 0u);
}

}
