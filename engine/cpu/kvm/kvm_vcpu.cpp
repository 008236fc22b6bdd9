#include "engine/cpu/kvm/kvm_vcpu.h"

#include <csignal>
#include <ctime>

#include <linux/kvm.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/cpu/kvm/kick_signal.h"
#include "engine/cpu/kvm/kvm_device.h"
#include "engine/cpu/kvm/kvm_lapic.h"
#include "engine/cpu/kvm/kvm_state.h"

namespace engine {

namespace {
constexpr u32 ia32_tsc = 0x10, ia32_tsc_deadline = 0x6e0;
constexpr u64 first_alarm = 20'000;    // nanoseconds
constexpr unsigned alarms = 10;

std::string in_short(const Error& error)
{
    return text(error.what, ": ", error.why);
}
}

// Says which thread a kick has to reach, for as long as run() lasts.
class KvmVcpu::Presence {
public:
    explicit Presence(KvmVcpu& vcpu) : vcpu_(vcpu)
    {
        KickSignal::unblock();
        const std::lock_guard lock(vcpu_.thread_mutex_);
        vcpu_.thread_ = pthread_self();
        vcpu_.thread_id_ = gettid();
    }
    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;
    ~Presence()
    {
        const std::lock_guard lock(vcpu_.thread_mutex_);
        vcpu_.thread_.reset();
    }

private:
    KvmVcpu& vcpu_;
};

Result<std::unique_ptr<KvmVcpu>> KvmVcpu::create(unsigned index, FileDescriptor vcpu, std::size_t run_size, Wires wires)
{
    void* shared = mmap(nullptr, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.get(), 0);
    if (shared == MAP_FAILED)
        return kvm_error("share a processor's state");
    KickSignal::install();
    return std::unique_ptr<KvmVcpu>(
        new KvmVcpu(index, std::move(vcpu), static_cast<kvm_run*>(shared), run_size, std::move(wires)));
}

KvmVcpu::KvmVcpu(unsigned index, FileDescriptor vcpu, kvm_run* run, std::size_t run_size, Wires wires)
    : index_(index),
      vcpu_(std::move(vcpu)),
      run_(run),
      run_size_(run_size),
      wires_(std::move(wires))
{
    visitor_.interrupt = [this] { interrupt(); };
    wires_.gate.add(visitor_);
    applied_base_ = clock_base();    // NOLINT(cppcoreguidelines-prefer-member-initializer)
    reset();
}

KvmVcpu::~KvmVcpu()
{
    munmap(run_, run_size_);
}

// Kicks

void KvmVcpu::set_immediate_exit(bool immediate)
{
    std::atomic_ref<u8>(run_->immediate_exit).store(immediate);
}

bool KvmVcpu::immediate_exit() const
{
    return std::atomic_ref<u8>(run_->immediate_exit).load();
}

// The request first, then the flag for a vCPU on its way into KVM_RUN, then the signal for one that is there.
void KvmVcpu::ask(u32 what)
{
    requests_.fetch_or(what);
    interrupt();
}

void KvmVcpu::interrupt()
{
    const std::lock_guard lock(thread_mutex_);
    set_immediate_exit(true);
    if (thread_ && visitor_.inside.load() && !pthread_equal(*thread_, pthread_self()))
        pthread_kill(*thread_, KickSignal::number());
}

void KvmVcpu::set_intr(bool level)
{
    intr_.store(level);
    if (level)
        interrupt();
}

// Running

VcpuExit KvmVcpu::run()
{
    const Presence presence(*this);
    if (!failure_.empty())
        return VcpuExit::failed;
    follow_clock();
    // What KVM says of interrupts is as old as the last time round.
    if (const auto exit = enter_immediately())
        return *exit;
    for (;;) {
        set_immediate_exit(false);
        const u32 asked = requests_.load();
        if (asked & request_kick) {
            const auto exit = settle();
            requests_.fetch_and(~u32(request_kick));
            return exit.value_or(VcpuExit::kicked);
        }
        if (asked & request_nmi) {
            requests_.fetch_and(~u32(request_nmi));
            control(vcpu_, KVM_NMI);
        }
        offer_interrupt();
        if (const auto exit = enter())
            return *exit;
    }
}

// One time into KVM_RUN; a value when run() has to come back.
std::optional<VcpuExit> KvmVcpu::enter()
{
    wires_.gate.enter(visitor_);
    const int result = ::ioctl(vcpu_.get(), KVM_RUN, 0);
    const int error = errno;
    wires_.gate.leave(visitor_);
    unfinished_access_ = false;
    if (!immediate_exit())
        vector_in_flight_ = false;
    if (result == 0)
        return handle_exit();
    if (error == EINTR || error == EAGAIN)
        return {};
    return failed(text("KVM can't run it: ", system_error_text(error)));
}

// Finishes a port or memory access and does not run the guest.
std::optional<VcpuExit> KvmVcpu::enter_immediately()
{
    do {
        set_immediate_exit(true);
        if (const auto exit = enter())
            return exit;
    } while (unfinished_access_);
    return {};
}

// An interrupt on its way to the guest's handler is acknowledged at its controller already and is no part of the canonical
// state: the guest runs on until it is delivered. An alarm that rings again and again takes the vCPU out after that.
std::optional<VcpuExit> KvmVcpu::settle()
{
    if (const auto exit = enter_immediately())
        return exit;
    for (unsigned attempt = 0; attempt < alarms && event_in_flight(); ++attempt) {
        const KickAlarm alarm(thread_id_, first_alarm << attempt);
        if (!alarm.armed())
            break;
        set_immediate_exit(false);
        if (const auto exit = enter())
            return exit;
        if (const auto exit = enter_immediately())
            return exit;
    }
    return {};
}

bool KvmVcpu::event_in_flight() const
{
    kvm_vcpu_events events{};
    if (control(vcpu_, KVM_GET_VCPU_EVENTS, &events) != 0)
        return false;
    return vector_in_flight_ || events.interrupt.injected || events.nmi.injected || events.exception.injected
        || events.exception.pending;
}

void KvmVcpu::offer_interrupt()
{
    if (intr_.load() && run_->ready_for_interrupt_injection && !vector_in_flight_) {
        const kvm_interrupt interrupt{.irq = wires_.acknowledge_interrupt()};
        vector_in_flight_ = control(vcpu_, KVM_INTERRUPT, &interrupt) == 0;
    }
    run_->request_interrupt_window = intr_.load();
}

// State

void KvmVcpu::save(x86::CpuState& to)
{
    if (const auto saved = save_kvm_state(vcpu_, to); !saved)
        failure_ = in_short(saved.error());
    to.nmi_pending |= (requests_.load() & request_nmi) != 0;
    u64 offset = 0;
    to.tsc_offset = tsc_offset(offset) ? offset - applied_base_ : read_kvm_msr(vcpu_, ia32_tsc) - wires_.time.time_stamp();
}

void KvmVcpu::load(const x86::CpuState& from)
{
    requests_.fetch_and(~u32(request_nmi));
    if (const auto loaded = load_kvm_state(vcpu_, from); !loaded)
        failure_ = in_short(loaded.error());
    u64 offset = 0;
    if (tsc_offset(offset))
        set_tsc_offset(applied_base_ + from.tsc_offset);
    else
        write_kvm_msr(vcpu_, ia32_tsc, wires_.time.time_stamp() + from.tsc_offset);
}

bool KvmVcpu::take_model(const KvmDevice& device, const x86::CpuModel& model)
{
    return bool(set_kvm_cpuid(device, vcpu_, model, index_));
}

void KvmVcpu::reset()
{
    constexpr u64 family_model_stepping = 0x506e3, apic_base = 0xfee00800, bootstrap = 0x100;
    failure_.clear();
    unfinished_access_ = false;
    x86::CpuState fresh;
    fresh.gpr[2] = family_model_stepping;
    fresh.apic_base = apic_base | (index_ == 0 ? bootstrap : 0);
    fresh.run_state = index_ == 0 ? x86::RunState::running : x86::RunState::wait_for_sipi;
    load(fresh);
    Lapic::State lapic;
    lapic.base = fresh.apic_base;
    lapic.id = index_;
    if (index_ == 0)
        lapic.lvt[Lapic::lvt_lint0] = u32(DeliveryMode::ext_int) << 8;
    load_lapic(lapic);
}

Lapic::State KvmVcpu::save_lapic() const
{
    kvm_lapic_state page{};
    kvm_sregs sregs{};
    control(vcpu_, KVM_GET_LAPIC, &page);
    control(vcpu_, KVM_GET_SREGS, &sregs);
    Lapic::State state = lapic_from_kvm(
        page, {.base = sregs.apic_base, .tsc_deadline = read_kvm_msr(vcpu_, ia32_tsc_deadline), .now = wires_.time.now()});
    state.lint0 = intr_.load();
    return state;
}

void KvmVcpu::load_lapic(const Lapic::State& from)
{
    const kvm_lapic_state page = lapic_to_kvm(from, wires_.time.now());
    if (control(vcpu_, KVM_SET_LAPIC, &page) != 0)
        failure_ = in_short(kvm_error("take over a local APIC's state"));
    write_kvm_msr(vcpu_, ia32_tsc_deadline, from.tsc_deadline);
    intr_.store(from.lint0);
}

// Time

bool KvmVcpu::tsc_offset(u64& offset) const
{
    const kvm_device_attr attribute{
        .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = reinterpret_cast<u64>(&offset)};
    return control(vcpu_, KVM_GET_DEVICE_ATTR, &attribute) == 0;
}

void KvmVcpu::set_tsc_offset(u64 offset)
{
    const kvm_device_attr attribute{
        .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = reinterpret_cast<u64>(&offset)};
    control(vcpu_, KVM_SET_DEVICE_ATTR, &attribute);
}

u64 KvmVcpu::clock_base()
{
    u64 offset = 0;
    return tsc_offset(offset) ? wires_.time.follow(read_kvm_msr(vcpu_, ia32_tsc) - offset) : 0;
}

// The machine's clock may have stood still since the last run().
void KvmVcpu::follow_clock()
{
    const u64 base = clock_base();
    u64 offset = 0;
    if (base == applied_base_ || !tsc_offset(offset))
        return;
    set_tsc_offset(offset - applied_base_ + base);
    applied_base_ = base;
}

}
