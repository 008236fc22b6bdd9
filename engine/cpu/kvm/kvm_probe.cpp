#include "engine/cpu/kvm/kvm_probe.h"

#include <array>
#include <cstring>

#include <linux/kvm.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/cpu/kvm/kick_signal.h"
#include "engine/cpu/kvm/kvm_device.h"
#include "engine/cpu/kvm/kvm_list.h"

namespace engine {

namespace {
// The guest: a page with its code, a page directory, a stack.
constexpr u64 memory_bytes = 0x4000, code_at = 0x1000, directory_at = 0x2000, stack_at = 0x4000;
constexpr u16 success_port = 0x0501;
constexpr u8 success_value = 0x4b;
constexpr u64 patience = 100'000'000;    // nanoseconds, where a millisecond will do

// clang-format off
constexpr u8 code[] = {
    0xb8, 0x00, 0x20, 0x00, 0x00,              // mov eax, directory_at
    0x0f, 0x22, 0xd8,                          // mov cr3, eax
    0x0f, 0x20, 0xe0,                          // mov eax, cr4
    0x0d, 0x10, 0x06, 0x00, 0x00,              // or eax, PSE | OSFXSR | OSXMMEXCPT
    0x0f, 0x22, 0xe0,                          // mov cr4, eax
    0x0f, 0x20, 0xc0,                          // mov eax, cr0
    0x0d, 0x00, 0x00, 0x00, 0x80,              // or eax, PG
    0x83, 0xe0, 0xf3,                          // and eax, ~(EM | TS)
    0x0f, 0x22, 0xc0,                          // mov cr0, eax
    0xeb, 0x00,                                // jmp to the next instruction, through the page tables
    0x66, 0x0f, 0x76, 0xc0,                    // pcmpeqd xmm0, xmm0
    0x66, 0x0f, 0x7e, 0xc0,                    // movd eax, xmm0
    0x83, 0xc0, 0x4c,                          // add eax, success_value + 1
    0x66, 0xba, 0x01, 0x05,                    // mov dx, success_port
    0xee,                                      // out dx, al
    0xf4,                                      // hlt
};
// clang-format on
constexpr u32 large_page = 0x83;    // present, writable, 4 MiB, from address 0

class Mapping {
public:
    Mapping(std::size_t size, int flags, int file)
        : size_(size),
          data_(mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, file, 0))
    {
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping()
    {
        if (valid())
            munmap(data_, size_);
    }
    bool valid() const { return data_ != MAP_FAILED; }
    u8* data() const { return static_cast<u8*>(data_); }

private:
    std::size_t size_;
    void* data_;
};

bool set_registers(const FileDescriptor& vcpu)
{
    kvm_sregs sregs{};
    if (control(vcpu, KVM_GET_SREGS, &sregs) != 0)
        return false;
    const auto flat = [](u8 type, u16 selector) {
        return kvm_segment{
            .base = 0, .limit = 0xffffffff, .selector = selector, .type = type, .present = 1, .db = 1, .s = 1, .g = 1};
    };
    sregs.cs = flat(0xb, 8);
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat(3, 16);
    sregs.cr0 |= 1;
    const kvm_regs regs{.rsp = stack_at, .rip = code_at, .rflags = 2};
    return control(vcpu, KVM_SET_SREGS, &sregs) == 0 && control(vcpu, KVM_SET_REGS, &regs) == 0;
}

enum class Outcome { reached, refused, failed };

// `refused`: KVM wouldn't build the machine, errno says why.
Outcome run_guest(const KvmDevice& device, const FileDescriptor& vm)
{
    const Mapping memory(memory_bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (!memory.valid())
        return Outcome::refused;
    std::memcpy(memory.data() + code_at, code, sizeof code);
    std::memcpy(memory.data() + directory_at, &large_page, sizeof large_page);
    kvm_userspace_memory_region region{.memory_size = memory_bytes, .userspace_addr = reinterpret_cast<u64>(memory.data())};
    const u64 identity_map = 0xfffbc000, task_state = 0xfffbd000;
    control(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
    control(vm, KVM_SET_TSS_ADDR, task_state);
    if (control(vm, KVM_SET_USER_MEMORY_REGION, &region) != 0)
        return Outcome::refused;
    const FileDescriptor vcpu{control(vm, KVM_CREATE_VCPU)};
    if (!vcpu.valid())
        return Outcome::refused;
    const Mapping shared(device.run_size(), MAP_SHARED, vcpu.get());
    KvmList<kvm_cpuid_entry2, 256> cpuid;
    cpuid.offer_all();
    const bool ready = shared.valid() && control(device.file(), kvm_request::get_supported_cpuid, cpuid.data()) == 0
        && control(vcpu, kvm_request::set_cpuid, cpuid.data()) == 0 && set_registers(vcpu);
    if (!ready)
        return Outcome::refused;

    KickSignal::install();
    KickSignal::unblock();
    const KickAlarm alarm(gettid(), patience);
    if (!alarm.armed())
        return Outcome::refused;
    const auto& run = *reinterpret_cast<const kvm_run*>(shared.data());
    const bool reached = ::ioctl(vcpu.get(), KVM_RUN, 0) == 0 && run.exit_reason == KVM_EXIT_IO && run.io.port == success_port
        && run.io.size == 1 && run.io.data_offset < device.run_size() && shared.data()[run.io.data_offset] == success_value;
    return reached ? Outcome::reached : Outcome::failed;
}
}

KvmProbe run_kvm_probe()
{
    const auto device = KvmDevice::open();
    if (!device)
        return {false, device.error().text()};
    const auto vm = device.value().create_vm();
    if (!vm)
        return {false, vm.error().text()};
    for (const int needed : std::array{KVM_CAP_SPLIT_IRQCHIP, KVM_CAP_SIGNAL_MSI, KVM_CAP_READONLY_MEM, KVM_CAP_IMMEDIATE_EXIT})
        if (device.value().extension(needed) <= 0)
            return {false, "/dev/kvm is there, but the kernel is too old: Paddock needs Linux 4.13 or a newer one"};
    switch (run_guest(device.value(), vm.value())) {
    case Outcome::reached:
        return {true, "/dev/kvm works: the machine runs on the computer's own processor"};
    case Outcome::refused:
        return {false, kvm_error("build a machine to try it out").text()};
    case Outcome::failed:
        break;
    }
    return {
        false,
        "/dev/kvm is there but cannot run an operating system: it failed the 32-bit paging and SSE probe, as virtual machines "
        "without nested virtualisation do"};
}

}
