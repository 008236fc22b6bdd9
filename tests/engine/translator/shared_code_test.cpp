// One or several processors on the same translated code: while one of them rewrites it, and while it makes room for more.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <thread>
#include <vector>

#include "engine/translator/x86_tier.h"
#include "tests/engine/cpu/x86/bare_machine.h"

using namespace engine;

namespace {

constexpr u64 program = 0x10000, stacks = 0x8000, cells = 0x9000;
constexpr u64 cell_size = 0x100;

// There may be fewer processors than threads: one that waits for another reads from port 90h.
struct YieldPort : IoHandler {
    u64 read(u64, unsigned) override
    {
        std::this_thread::yield();
        return 0;
    }
    void write(u64, u64, unsigned) override { }
};

// In 32-bit protected mode, every segment flat. Each begins with its number in EBP, a stack and, in ESI, a cell of memory of its
// own, and ends by OUT 80h + its number, AL.
struct SharedCode : ::testing::Test {
    struct Processor {
        StopPort stop;
        std::unique_ptr<Lapic> lapic;
        std::unique_ptr<Vcpu> vcpu;
        x86::CpuState state;
    };

    void make(unsigned count, const translator::X86TierOptions& options)
    {
        memory.add_ram("ram", 0, ram->size(), 0, *ram, 0);
        ports.claim(0x90, 1, yield);
        const auto rendezvous = make_rendezvous();
        const auto store = translator::make_code_store(options);
        for (unsigned n = 0; n < count; ++n) {
            Processor& p = *processors.emplace_back(std::make_unique<Processor>());
            p.lapic = std::make_unique<Lapic>(deadlines, Lapic::Configuration{.id = n, .bootstrap = n == 0});
            VcpuWires wires{.acknowledge_interrupt = [] { return u8(0x20); }, .ferr = {}, .tsc = {}, .entropy = {}};
            p.vcpu = make_interpreter_vcpu({memory, ports, *p.lapic, std::move(wires), model, rendezvous, n, [&](x86::Cpu& c) {
                                                return translator::make_x86_tier(c, store);
                                            }});
            p.stop.vcpu = p.vcpu.get();
            ports.claim(0x80 + n, 1, p.stop);
            begin(n);
        }
    }
    void begin(unsigned n)
    {
        x86::CpuState& s = processors[n]->state;
        processors[n]->vcpu->save(s);
        constexpr u64 protected_with_native_fpu_errors = 0x21;
        s.cr0 = protected_with_native_fpu_errors;
        s.run_state = x86::RunState::running;
        for (x86::Segment& segment : s.segments)
            segment = {.selector = 8, .attributes = 0xc093, .limit = 0xffffffff, .base = 0};
        s.segments[x86::cs].attributes = 0xc09b;
        s.gpr = {};
        s.gpr[x86::rsp] = stacks - n * 0x400;
        s.gpr[x86::rsi] = cells + n * cell_size;
        s.gpr[x86::rbp] = n;
        s.rip = program;
    }

    void run(unsigned n)
    {
        Processor& p = *processors[n];
        p.vcpu->load(p.state);
        EXPECT_EQ(p.vcpu->run(), VcpuExit::kicked) << p.vcpu->failure();
        p.vcpu->save(p.state);
    }
    void run_all()
    {
        std::vector<std::thread> threads;
        for (unsigned n = 0; n < processors.size(); ++n)
            threads.emplace_back([this, n] { run(n); });
        for (std::thread& t : threads)
            t.join();
    }
    TranslatorCounts counts(unsigned n) const { return processors[n]->vcpu->translator_counts(); }
    u32 gpr(unsigned n, unsigned number) const { return u32(processors[n]->state.gpr[number]); }

    void put(std::initializer_list<u8> bytes)
    {
        std::memcpy(ram->data() + at, bytes.begin(), bytes.size());
        at += bytes.size();
    }
    void put_dword(u64 value)
    {
        std::memcpy(ram->data() + at, &value, 4);
        at += 4;
    }
    void put_jump(std::initializer_list<u8> opcode, u64 target)
    {
        put(opcode);
        put_dword(target - (at + 4));
    }
    // lea edx, [ebp + 80h]; out dx, al; hlt
    void put_stop() { put({0x8d, 0x95, 0x80, 0, 0, 0, 0xee, 0xf4}); }

    // Thousands of blocks, `rounds` times: EAX, which begins as it is, into the cell.
    void put_blocks(u32 blocks, u32 rounds)
    {
        put_rounds(blocks, rounds);
        put_stop();
    }
    void put_rounds(u32 blocks, u32 rounds)
    {
        put({0xbf});    // mov edi, rounds
        put_dword(rounds);
        const u64 loop = at;
        for (u32 n = 0; n < blocks; ++n) {
            put({0x69, 0xc0});    // imul eax, eax, 1664525
            put_dword(1664525);
            put({0x05});    // add eax, n
            put_dword(n);
            put({0x31, 0x06, 0xeb, 0x00});    // xor [esi], eax; jmp to the next
        }
        put({0x4f});    // dec edi
        put_jump({0x0f, 0x85}, loop);
    }
    u64 regions_emptied() const
    {
        u64 sum = 0;
        for (unsigned n = 0; n < processors.size(); ++n) {
            EXPECT_EQ(counts(n).drops_of_all, 0u);
            sum += counts(n).regions_emptied;
        }
        return sum;
    }
    void expect_blocks(unsigned n, u32 eax, u32 blocks, u32 rounds)
    {
        u32 cell = 0;
        for (u32 round = 0; round < rounds; ++round)
            for (u32 block = 0; block < blocks; ++block) {
                eax = eax * 1664525 + block;
                cell ^= eax;
            }
        EXPECT_EQ(gpr(n, x86::rax), eax) << n;
        u32 found = 0;
        std::memcpy(&found, ram->data() + cells + n * cell_size, sizeof found);
        EXPECT_EQ(found, cell) << n;
    }

    std::unique_ptr<MemoryBlock> ram = std::move(*MemoryBlock::create("ram", 2 << 20));
    ManualClock clock;
    DeadlineQueue deadlines{clock};
    AddressSpace memory;
    PortSpace ports;
    YieldPort yield;
    x86::CpuModel model{.features = x86::most_features()};
    std::vector<std::unique_ptr<Processor>> processors;
    u64 at = program;
};

}

TEST_F(SharedCode, what_one_has_translated_the_other_runs)
{
    make(2, {.hot = 2});
    constexpr u32 blocks = 500, rounds = 50;
    put_blocks(blocks, rounds);
    run(0);
    expect_blocks(0, 0, blocks, rounds);
    EXPECT_GT(counts(0).blocks, blocks);
    run(1);
    expect_blocks(1, 0, blocks, rounds);
    EXPECT_EQ(counts(1).blocks, 0u);
    EXPECT_GT(counts(1).runs, 0u);
    // It has linked the pages for itself.
    EXPECT_LT(counts(1).runs, blocks);
}

TEST_F(SharedCode, all_translate_at_once)
{
    make(4, {.hot = 2});
    constexpr u32 blocks = 4000, rounds = 40;
    put_blocks(blocks, rounds);
    for (unsigned n = 0; n < 4; ++n)
        processors[n]->state.gpr[x86::rax] = n;
    run_all();
    u64 translated = 0;
    for (unsigned n = 0; n < 4; ++n) {
        expect_blocks(n, n, blocks, rounds);
        translated += counts(n).blocks;
    }
    EXPECT_LT(translated, 2 * blocks);
}

TEST_F(SharedCode, room_is_made_while_all_run)
{
    make(4, {.hot = 2, .code_budget = 1 << 20, .kept_budget = 256 << 10});
    constexpr u32 blocks = 8000, rounds = 30;
    put_blocks(blocks, rounds);
    for (unsigned n = 0; n < 4; ++n)
        processors[n]->state.gpr[x86::rax] = n;
    run_all();
    for (unsigned n = 0; n < 4; ++n)
        expect_blocks(n, n, blocks, rounds);
    EXPECT_GT(regions_emptied(), 0u);
}

// Some tens of blocks are all that there is room for. (How often some is made hangs on when each vCPU is heard from.)
TEST_F(SharedCode, the_least_room_is_enough)
{
    make(3, {.hot = 1, .code_budget = 1 << 20, .kept_budget = 8 << 10, .busy_at_once = true});
    constexpr u32 blocks = 200, rounds = 3000;
    put_blocks(blocks, rounds);
    for (unsigned n = 0; n < 3; ++n)
        processors[n]->state.gpr[x86::rax] = n;
    run_all();
    for (unsigned n = 0; n < 3; ++n)
        expect_blocks(n, n, blocks, rounds);
    EXPECT_GT(regions_emptied(), 0u);
}

TEST_F(SharedCode, one_alone_makes_room)
{
    make(1, {.hot = 2, .code_budget = 1 << 20, .kept_budget = 64 << 10});
    constexpr u32 blocks = 5000, rounds = 30;
    put_blocks(blocks, rounds);
    run(0);
    expect_blocks(0, 0, blocks, rounds);
    EXPECT_GT(regions_emptied(), 20u);
}

namespace {

// Calls wait at the first page while others' blocks take its room.
struct Returns : SharedCode {
    void come_back(unsigned count)
    {
        make(count, {.hot = 2, .code_budget = 1 << 20, .kept_budget = 64 << 10});
        constexpr u32 blocks = 5000, rounds = 4, depth = 50, times = 20;
        put({0xbb});    // mov ebx, times
        put_dword(times);
        const u64 again = at, f = program + 0x100, bottom = f + 0x100;
        put({0x31, 0xc0, 0xb9});    // xor eax, eax; mov ecx, depth
        put_dword(depth);
        put_jump({0xe8}, f);
        put({0x4b});    // dec ebx
        put_jump({0x0f, 0x85}, again);
        put_stop();
        at = f;
        put({0x49});    // dec ecx
        put_jump({0x0f, 0x84}, bottom);
        put_jump({0xe8}, f);
        put({0x8d, 0x44, 0x40, 0x01, 0xc3});    // lea eax, [eax + 2 * eax + 1]; ret
        at = bottom;
        put_rounds(blocks, rounds);
        put({0xc3});
        run_all();
        u32 eax = 0;
        for (u32 round = 0; round < rounds; ++round)
            for (u32 block = 0; block < blocks; ++block)
                eax = eax * 1664525 + block;
        for (u32 n = 1; n < depth; ++n)
            eax = 3 * eax + 1;
        for (unsigned n = 0; n < count; ++n)
            EXPECT_EQ(gpr(n, x86::rax), eax);
        EXPECT_GT(regions_emptied(), count == 1 ? 20u : 0u);
    }
};

}

TEST_F(Returns, find_their_way_to_what_made_room)
{
    come_back(1);
}

TEST_F(Returns, find_their_way_on_several_processors)
{
    come_back(3);
}

// Processor 1 goes round in blocks that lose their code again and again, and never leaves them of itself.
TEST_F(SharedCode, what_makes_room_may_be_running)
{
    make(2, {.hot = 2, .code_budget = 1 << 20, .kept_budget = 64 << 10});
    constexpr u32 blocks = 3000, rounds = 300;
    constexpr u64 begun = 0xa000, done = 0xa100, other_page = 0x40000;
    put({0x85, 0xed});    // test ebp, ebp
    const u64 around = program + 0x40;
    put_jump({0x0f, 0x85}, around);
    const u64 wait = at;
    put({0xe4, 0x90, 0x83, 0x3d});    // in al, 90h; cmp dword [begun], 0
    put_dword(begun);
    put({0x00});
    put_jump({0x0f, 0x84}, wait);
    put({0x31, 0xc0});    // xor eax, eax
    put_jump({0xe9}, program + 0x1000);

    at = around;
    put({0x41, 0xeb, 0x00});    // inc ecx; jmp to the next
    put({0xff, 0x05});    // inc dword [begun]
    put_dword(begun);
    put_jump({0xe9}, other_page);
    at = other_page;
    put({0x42, 0xeb, 0x00, 0x80, 0x3d});    // inc edx; jmp to the next; cmp byte [done], 0
    put_dword(done);
    put({0x00});
    put_jump({0x0f, 0x84}, around);
    put({0x39, 0xd1, 0x0f, 0x95, 0xc3});    // cmp ecx, edx; setne bl
    put_stop();

    at = program + 0x1000;
    put_rounds(blocks, rounds);
    put({0xc6, 0x05});    // mov byte [done], 1
    put_dword(done);
    put({0x01});
    put_stop();
    run_all();
    expect_blocks(0, 0, blocks, rounds);
    EXPECT_EQ(gpr(1, x86::rbx), 0u);
    EXPECT_GT(regions_emptied(), 0u);
}

TEST_F(SharedCode, one_that_is_halted_is_in_nobodys_way)
{
    make(2, {.hot = 2, .code_budget = 1 << 20, .kept_budget = 64 << 10});
    constexpr u32 blocks = 3000, rounds = 20;
    // test ebp, ebp; jz over; sti; hlt; (the interrupt never comes; a kick ends it); over:
    put({0x85, 0xed, 0x74, 0x02, 0xfb, 0xf4});
    put_blocks(blocks, rounds);
    std::thread halted([this] { run(1); });
    // Each but the last must be met by both, or there is no room.
    constexpr unsigned wanted = 10, most_tries = 10000;
    for (unsigned tries = 0; counts(0).regions_emptied < wanted && tries < most_tries; ++tries) {
        begin(0);
        std::memset(ram->data() + cells, 0, cell_size);
        run(0);
        expect_blocks(0, 0, blocks, rounds);
    }
    processors[1]->vcpu->kick();
    halted.join();
    EXPECT_GE(counts(0).regions_emptied, wanted);
}

// Processor 0 rewrites routines. 1 calls each after it was told, having serialised; 2 and 3 call them all the time and may find
// what was or what is.
TEST_F(SharedCode, one_rewrites_what_others_run)
{
    make(4, {.hot = 2});
    // A page of code takes so many rewrites before it counts as data.
    constexpr u32 routines = 24, rewrites = 20, calls = 40;
    constexpr u64 first_routine = 0x40000, told = 0xa000, heard = 0xa100, done = 0xa200, errors = 0xa300;
    for (u32 r = 0; r < routines; ++r) {
        at = first_routine + r * page_size;
        put({0x90, 0x90, 0x90, 0xb8});    // three NOPs; mov eax, 0
        put_dword(0);
        put({0xeb, 0x00, 0xc3});    // jmp to the next; ret
    }
    at = program;
    const u64 table = program + 0x2000;    // of what each does
    put({0xff, 0x24, 0xad});    // jmp [table + ebp * 4]
    put_dword(table);
    std::array<u64, 4> begin{};

    begin[0] = at;
    put({0xbb});    // mov ebx, first_routine
    put_dword(first_routine);
    const u64 next_routine = at;
    put({0x31, 0xc9});    // xor ecx, ecx
    const u64 rewrite = at;
    put({0x41, 0x89, 0x4b, 0x04});    // inc ecx; mov [ebx + 4], ecx
    put({0x89, 0x1d});    // mov [told + 4], ebx
    put_dword(told + 4);
    put({0xff, 0x05});    // inc dword [told]
    put_dword(told);
    put({0x8b, 0x15});    // mov edx, [told]
    put_dword(told);
    const u64 wait = at;
    put({0xe4, 0x90, 0x3b, 0x15});    // in al, 90h; cmp edx, [heard]
    put_dword(heard);
    put_jump({0x0f, 0x85}, wait);
    put({0x81, 0xf9});    // cmp ecx, rewrites
    put_dword(rewrites);
    put_jump({0x0f, 0x85}, rewrite);
    put({0x81, 0xc3});    // add ebx, a page
    put_dword(page_size);
    put({0x81, 0xfb});    // cmp ebx, the last one's end
    put_dword(first_routine + routines * page_size);
    put_jump({0x0f, 0x85}, next_routine);
    put({0xc6, 0x05});    // mov byte [done], 1
    put_dword(done);
    put({0x01});
    put_stop();

    // What the routine gives, by turns 1 to `rewrites` for each.
    begin[1] = at;
    put({0x31, 0xff});    // xor edi, edi: heard
    const u64 listen = at;
    put({0xe4, 0x90, 0x3b, 0x3d});    // in al, 90h; cmp edi, [told]
    put_dword(told);
    put_jump({0x0f, 0x84}, listen);
    put({0x31, 0xc0, 0x0f, 0xa2});    // xor eax, eax; cpuid
    put({0x8b, 0x1d});    // mov ebx, [told + 4]
    put_dword(told + 4);
    put({0x8b, 0x6b, 0x04, 0xb9});    // mov ebp, [ebx + 4]; mov ecx, calls
    put_dword(calls);
    const u64 call_again = at;
    put({0xff, 0xd3, 0x39, 0xe8, 0x74, 0x06, 0xff, 0x05});    // call ebx; cmp eax, ebp; je over; inc dword [errors]
    put_dword(errors);
    put({0x49});    // over: dec ecx
    put_jump({0x0f, 0x85}, call_again);
    put({0x47, 0x89, 0x3d});    // inc edi; mov [heard], edi
    put_dword(heard);
    put({0x81, 0xff});    // cmp edi, all
    put_dword(routines * rewrites);
    put_jump({0x0f, 0x85}, listen);
    put({0xbd, 1, 0, 0, 0});    // mov ebp, 1
    put_stop();

    // EBX goes over the routines; what one gives grows, so what it gave is no more than what is there.
    begin[2] = begin[3] = at;
    put({0xbb});
    put_dword(first_routine);
    const u64 around = at;
    put(
        {0xff, 0xd3, 0x3b, 0x43, 0x04, 0x76, 0x06, 0xff,
         0x05});    // call ebx; cmp eax, [ebx + 4]; jbe over; inc dword [errors + 4]
    put_dword(errors + 4);
    put({0x81, 0xc3});    // over: add ebx, a page
    put_dword(page_size);
    put({0x81, 0xfb});
    put_dword(first_routine + routines * page_size);
    put_jump({0x0f, 0x85}, around);
    put({0xe4, 0x90, 0xbb});    // in al, 90h
    put_dword(first_routine);
    put({0x80, 0x3d});    // cmp byte [done], 0
    put_dword(done);
    put({0x00});
    put_jump({0x0f, 0x84}, around);
    put_stop();
    at = table;
    for (const u64 entry : begin)
        put_dword(entry);

    run_all();
    u32 wrong[2] = {1, 1};
    std::memcpy(wrong, ram->data() + errors, sizeof wrong);
    EXPECT_EQ(wrong[0], 0u);
    EXPECT_EQ(wrong[1], 0u);
    EXPECT_EQ(gpr(1, x86::rdi), routines * rewrites);
    u64 dropped = 0;
    for (unsigned n = 0; n < 4; ++n)
        dropped += counts(n).pages_dropped;
    EXPECT_GT(dropped, routines);
}
