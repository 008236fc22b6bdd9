/* Runs FEX's assembled 64- and 32-bit instruction tests on the processor below it. The standard input names them, one a line,
 * relative to FOLDER and without “.bin”; beside each lies its “.config.bin” as FEX's own build makes it.
 *
 *     fex_runner FOLDER ROUNDS
 *
 * Each test has a process of its own. Its body is run ROUNDS times from the same state and must each time reach a HLT with
 * the registers that its configuration names. Prints “pass NAME”, “fail NAME why” or “skip NAME why” for each.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { page = 4096, seconds_for_a_test = 120, passed = 0, failed = 1, skipped = 77 };
enum { code_address = 0x10000 };
enum { selector_64 = 0x33, stack_selector_64 = 0x2b, selector_32 = 1 << 3 | 7 };

/* A configuration's head: where its tables lie in the file, and how many entries each has. */
struct __attribute__((packed)) table {
    uint32_t offset, count;
};
struct __attribute__((packed)) configuration {
    uint64_t match, ignore, stack_size, entry_point;
    uint32_t abi, mode, host_features;
    struct table regions, registers, memory, environment;
};

struct file {
    unsigned char* bytes;
    size_t size;
};

/* What a body may change, and what it held before. Regions too large for a copy held zeros. */
struct region {
    unsigned char *at, *before;
    size_t size;
};
static struct region regions[64];
static unsigned region_count;

/* What the body left, in the order of the configuration's register numbers. */
static struct {
    uint64_t general[16];
    uint64_t vector[16][4];
    uint64_t x87[8][2];
    uint64_t stop;
    int signal;
} seen;

static const char* name;
static uint64_t thread_base;
static int has_avx;

static unsigned char initial_state[4096] __attribute__((aligned(64), used));
static uint64_t state_mask __attribute__((used)) = 0xe7;
static uint64_t own_stack __attribute__((used));
static struct __attribute__((packed)) {
    uint64_t near;
    uint32_t far_offset;
    uint16_t far_selector;
} target __attribute__((used));

void enter_64(void);
void enter_32(void);
void leave(void);

/* Zero in every register but RFLAGS; MOV keeps the flags that POPF loads. */
__asm__(".macro blank\n"
        "    push %rbx\n    push %rbp\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    mov %rsp, own_stack(%rip)\n"
        "    mov state_mask(%rip), %eax\n    xor %edx, %edx\n    xrstor64 initial_state(%rip)\n"
        "    push $0x202\n    popf\n"
        "    .irp register, rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15\n"
        "    mov $0, %\\register\n"
        "    .endr\n"
        ".endm\n"
        ".globl enter_64, enter_32, leave\n"
        "enter_64:\n    blank\n    jmp *target(%rip)\n"
        "enter_32:\n    blank\n    ljmpl *target+8(%rip)\n"
        "leave:\n    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbp\n    pop %rbx\n    ret\n");

static void keep_general(const greg_t* from)
{
    static const int order[16] = {REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    for (int n = 0; n < 16; ++n)
        seen.general[n] = (uint64_t)from[order[n]];
    seen.stop = (uint64_t)from[REG_RIP];
}

/* MMn is the register itself, wherever the stack's top stands. The upper halves of YMM lie at 576 in the standard format. */
static void keep_vectors(const struct _libc_fpstate* from)
{
    const unsigned char* const bytes = (const unsigned char*)from;
    const unsigned top = from->swd >> 11 & 7;
    for (unsigned n = 0; n < 8; ++n)
        memcpy(seen.x87[(n + top) % 8], &from->_st[n], 16);
    uint64_t present;
    memcpy(&present, bytes + 512, sizeof present);
    for (unsigned n = 0; n < 16; ++n) {
        memcpy(seen.vector[n], &from->_xmm[n], 16);
        if (has_avx && (present & 4))
            memcpy(seen.vector[n] + 2, bytes + 576 + 16 * n, 16);
        else
            seen.vector[n][2] = seen.vector[n][3] = 0;
    }
}

/* The body may have moved the thread's base, so nothing here may lean on thread-local storage before that is put back. */
static void stopped(int signal, siginfo_t* information, void* context)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(SYS_arch_prctl), "D"(ARCH_SET_FS), "S"(thread_base) : "rcx", "r11", "memory");
    (void)information;
    mcontext_t* const machine = &((ucontext_t*)context)->uc_mcontext;
    keep_general(machine->gregs);
    keep_vectors(machine->fpregs);
    seen.signal = signal;
    machine->gregs[REG_RIP] = (greg_t)leave;
    machine->gregs[REG_RSP] = (greg_t)own_stack;
    machine->gregs[REG_EFL] = 0x202;
    machine->gregs[REG_CSGSFS] = (greg_t)(selector_64 | (uint64_t)stack_selector_64 << 48);
    machine->fpregs->cwd = 0x37f;
    machine->fpregs->swd = machine->fpregs->ftw = 0;
    machine->fpregs->mxcsr = 0x1f80;
}

static void finish(int how, const char* why)
{
    static const char* const words[] = {[passed] = "pass", [failed] = "fail"};
    char line[512];
    const int length
        = snprintf(line, sizeof line, "%s %s%s%s\n", how == skipped ? "skip" : words[how], name, *why ? " " : "", why);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        _exit(2);
    _exit(how);
}

static struct file loaded(const char* folder, const char* ending)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    struct file file = {0};
    struct stat status;
    const int descriptor = open(path, O_RDONLY);
    if (descriptor < 0 || fstat(descriptor, &status) < 0)
        finish(failed, "cannot be read");
    file.size = (size_t)status.st_size;
    file.bytes = malloc(file.size + 1);
    if (!file.bytes || read(descriptor, file.bytes, file.size) != (ssize_t)file.size)
        finish(failed, "cannot be read whole");
    close(descriptor);
    return file;
}

/* An entry of a table, where its bytes lie within the file. */
static const unsigned char* entry(const struct file* file, size_t offset, size_t bytes)
{
    if (offset > file->size || bytes > file->size - offset)
        finish(failed, "its configuration is cut off");
    return file->bytes + offset;
}

static uint64_t number(const unsigned char* from, size_t bytes)
{
    uint64_t value = 0;
    memcpy(&value, from, bytes);
    return value;
}

static void map(uint64_t address, uint64_t bytes)
{
    struct region* const region = &regions[region_count++];
    region->size = (bytes + page - 1) & ~(uint64_t)(page - 1);
    region->at = mmap(
        (void*)address, region->size, PROT_READ | PROT_WRITE | PROT_EXEC,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (region_count == sizeof regions / sizeof *regions || region->at != (void*)address)
        finish(failed, "its memory cannot be mapped");
}

static void map_all(const struct file* code, const struct file* file, const struct configuration* head)
{
    map(0xe0000000, 10 * page);
    map(0xe8000000 - page, 2 * page);
    map(code_address, code->size);
    memcpy((void*)code_address, code->bytes, code->size);
    if (head->mode == 0)
        map(0xc0000000, page);
    for (uint32_t n = 0; n < head->regions.count; ++n) {
        const unsigned char* const region = entry(file, head->regions.offset + n * 16, 16);
        map(number(region, 8), number(region + 8, 8));
    }
    size_t at = head->memory.offset;
    for (uint32_t n = 0; n < head->memory.count; ++n) {
        const unsigned char* const data = entry(file, at, 12);
        const size_t length = number(data + 8, 4);
        memcpy((void*)number(data, 8), entry(file, at + 12, length), length);
        at += 12 + length;
    }
    for (unsigned n = 0; n < region_count; ++n)
        if (regions[n].size <= 1 << 20) {
            regions[n].before = malloc(regions[n].size);
            memcpy(regions[n].before, regions[n].at, regions[n].size);
        }
}

/* Only pages that differ are written: what writes to code makes a translator forget it. */
static void restore(void)
{
    for (unsigned n = 0; n < region_count; ++n) {
        const struct region* const region = &regions[n];
        if (!region->before) {
            madvise(region->at, region->size, MADV_DONTNEED);
            continue;
        }
        for (size_t at = 0; at < region->size; at += page)
            if (memcmp(region->at + at, region->before + at, page))
                memcpy(region->at + at, region->before + at, page);
    }
}

static void describe(unsigned index, int contents)
{
    const struct user_desc segment
        = {.entry_number = index,
           .limit = 0xfffff,
           .seg_32bit = 1,
           .contents = (unsigned)contents,
           .limit_in_pages = 1,
           .useable = 1};
    if (syscall(SYS_modify_ldt, 0x11, &segment, sizeof segment))
        finish(skipped, "this kernel lets nobody make 32-bit segments");
}

/* The features a configuration asks for, by their bits, and where CPUID shows them. */
static const char* missing_feature(uint32_t wanted)
{
    enum { a, b, c, d };
    static const struct {
        const char* name;
        uint32_t leaf;
        int word, bit;
    } features[]
        = {{"3DNow", 0x80000001, d, 31},
           {"SSE4A", 0x80000001, c, 6},
           {"AVX", 1, c, 28},
           {"RDRAND", 1, c, 30},
           {"SHA", 7, b, 29},
           {"CLZERO", 0x80000008, b, 0},
           {"BMI1", 7, b, 3},
           {"BMI2", 7, b, 8},
           {"CLWB", 7, b, 24},
           {0, 0, 0, 0},
           {"VAES", 7, c, 9},
           {0, 0, 0, 0},
           {"SSSE3", 1, c, 9},
           {"SSE4.1", 1, c, 19},
           {"SSE4.2", 1, c, 20},
           {"AES", 1, c, 25},
           {"PCLMULQDQ", 1, c, 1},
           {"MOVBE", 1, c, 22},
           {"ADX", 7, b, 19},
           {"XSAVE", 1, c, 27},
           {"RDPID", 7, c, 22},
           {"CLFLUSHOPT", 7, b, 23},
           {"FSGSBASE", 7, b, 0},
           {"EMMI", 0, 0, 0}};
    for (unsigned n = 0; n < sizeof features / sizeof *features; ++n) {
        if (!(wanted >> n & 1) || !features[n].name)
            continue;
        uint32_t words[4] = {0};
        if (features[n].leaf)
            __get_cpuid_count(features[n].leaf, 0, words, words + 1, words + 2, words + 3);
        if (!(words[features[n].word] >> features[n].bit & 1))
            return features[n].name;
    }
    return 0;
}

static void check_value(int round, const char* kind, unsigned index, unsigned part, uint64_t is, uint64_t wanted)
{
    char why[160];
    if (is == wanted)
        return;
    snprintf(
        why, sizeof why, "round %d: %s%u[%u] is %#llx, not %#llx", round, kind, index, part, (unsigned long long)is,
        (unsigned long long)wanted);
    finish(failed, why);
}

static void check(const struct file* file, const struct configuration* head, int round)
{
    size_t at = head->registers.offset;
    for (uint32_t n = 0; n < head->registers.count; ++n) {
        const unsigned char* const wanted = entry(file, at, 12);
        const unsigned parts = (unsigned)number(wanted, 4), index = (unsigned)__builtin_ctzll(number(wanted + 4, 8) | 1ull << 63);
        const unsigned char* const values = entry(file, at + 12, 8ul * parts);
        at += 12 + 8ul * parts;
        for (unsigned part = 0; part < parts; ++part) {
            const uint64_t value = number(values + 8ul * part, 8);
            if (index == 0)
                check_value(round, "RIP", 0, 0, seen.stop, value);
            else if (index < 17 && part == 0)
                check_value(round, "GPR", index - 1, 0, seen.general[index - 1], value);
            else if (index >= 17 && index < 33 && part < (has_avx ? 4 : 2))
                check_value(round, "XMM", index - 17, part, seen.vector[index - 17][part], value);
            else if (index >= 35 && index < 43 && part < 2)
                check_value(round, "MM", index - 35, part, seen.x87[index - 35][part], value);
            else
                finish(failed, "its configuration names a register that this runner doesn't know");
        }
    }
}

static void catch_signals(void)
{
    enum { stack_bytes = 1 << 18 };
    const stack_t stack
        = {.ss_sp = mmap(0, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), .ss_size = stack_bytes};
    sigaltstack(&stack, 0);
    struct sigaction action = {.sa_sigaction = stopped, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    static const int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP, SIGSYS};
    for (unsigned n = 0; n < sizeof signals / sizeof *signals; ++n)
        sigaction(signals[n], &action, 0);
}

static void run(const char* folder, int rounds)
{
    struct configuration head;
    const struct file file = loaded(folder, ".config.bin"), code = loaded(folder, ".bin");
    memcpy(&head, entry(&file, 0, sizeof head), sizeof head);
    const char* const missing = missing_feature(head.host_features);
    if (missing)
        finish(skipped, missing);
    map_all(&code, &file, &head);
    if (head.mode == 0) {
        describe(1, MODIFY_LDT_CONTENTS_CODE);
        describe(2, MODIFY_LDT_CONTENTS_DATA);
        describe(3, MODIFY_LDT_CONTENTS_STACK);
    }
    target.near = target.far_offset = code_address;
    target.far_selector = selector_32;
    const uint32_t mxcsr = 0x1f80;
    memcpy(initial_state + 24, &mxcsr, sizeof mxcsr);
    syscall(SYS_arch_prctl, ARCH_GET_FS, &thread_base);
    catch_signals();
    alarm(seconds_for_a_test);
    for (int round = 1; round <= rounds; ++round) {
        if (head.mode == 0)
            enter_32();
        else
            enter_64();
        char why[80];
        snprintf(why, sizeof why, "round %d: signal %d at %#llx", round, seen.signal, (unsigned long long)seen.stop);
        if (seen.signal != SIGSEGV || *(const unsigned char*)seen.stop != 0xf4)
            finish(failed, why);
        check(&file, &head, round);
        restore();
    }
    finish(passed, "");
}

int main(int argc, char** argv)
{
    const int rounds = argc == 3 ? atoi(argv[2]) : 0;
    if (rounds < 1)
        return 2;
    uint32_t words[4] = {0};
    __get_cpuid(1, words, words + 1, words + 2, words + 3);
    has_avx = words[2] >> 28 & 1;
    static char line[512];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        name = line;
        const pid_t child = fork();
        if (child == 0)
            run(argv[1], rounds);
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child)
            return 2;
        if (WIFSIGNALED(status))
            printf("fail %s signal %d\n", name, WTERMSIG(status));
        fflush(stdout);
    }
    return 0;
}
