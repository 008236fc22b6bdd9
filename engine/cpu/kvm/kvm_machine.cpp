#include "engine/cpu/kvm/kvm_machine.h"

#include <linux/kvm.h>

#include "engine/cpu/kvm/kvm_cpuid.h"
#include "engine/cpu/kvm/kvm_list.h"

namespace engine {

namespace {
// Pages for Intel's real-mode emulation, right under a 256 KiB BIOS: api.rst 4.41 and 4.6.
constexpr u64 identity_map = 0xfffbc000, task_state = 0xfffbd000;
constexpr unsigned most_vectors = 256;

// Message address and data, SDM figures 11-24 and 11-25.
constexpr u32 msi_window = 0xfee00000, msi_logical = 1 << 2, msi_redirect = 1 << 3;
constexpr u32 msi_asserted = 1 << 14, msi_level = 1 << 15;
}

Result<std::unique_ptr<KvmMachine>> KvmMachine::create(unsigned count, Wires wires)
{
    auto device = KvmDevice::open();
    if (!device)
        return device.error();
    auto vm = device->create_vm();
    if (!vm)
        return vm.error();
    std::unique_ptr<KvmMachine> machine(new KvmMachine(std::move(*device), std::move(*vm), std::move(wires)));
    if (auto built = machine->build(count); !built)
        return built.error();
    return machine;
}

Result<void> KvmMachine::build(unsigned count)
{
    for (const int needed : {KVM_CAP_SPLIT_IRQCHIP, KVM_CAP_SIGNAL_MSI, KVM_CAP_READONLY_MEM, KVM_CAP_IMMEDIATE_EXIT})
        if (device_.extension(needed) <= 0)
            return Error{
                "The kernel's KVM is too old", "It lacks something that Paddock needs of it",
                "Take Linux 4.13 or a newer one, or let Paddock choose the accelerator"};
    if (device_.extension(KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0)
        control(vm_, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
    if (device_.extension(KVM_CAP_SET_TSS_ADDR) > 0)
        control(vm_, KVM_SET_TSS_ADDR, task_state);
    kvm_enable_cap split{.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {most_vectors}};
    if (control(vm_, KVM_ENABLE_CAP, &split) != 0)
        return kvm_error("give the machine local APICs");
    kvm_enable_cap words{.cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = {1}};
    control(vm_, KVM_ENABLE_CAP, &words);

    model_.cpus = count;
    model_.features = x86::host_features();
    model_.features = kvm_features(device_, model_);
    choose_tsc_rate();
    time_ = std::make_unique<KvmTime>(wires_.clock, model_.tsc_hz);
    memory_
        = std::make_unique<KvmMemory>(vm_, wires_.memory, gate_, unsigned(device_.extension(KVM_CAP_NR_MEMSLOTS)), choose_log());
    for (unsigned index = 0; index < count; ++index)
        if (auto added = add_vcpu(index); !added)
            return added;
    return {};
}

KvmMemory::LogClears KvmMachine::choose_log()
{
    kvm_enable_cap manual{.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = {KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE}};
    const bool offered = device_.extension(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
    return offered && control(vm_, KVM_ENABLE_CAP, &manual) == 0 ? KvmMemory::LogClears::when_asked
                                                                 : KvmMemory::LogClears::at_once;
}

// The model's rate where the host's processor can scale, so that machines move between hosts; else the host's own.
void KvmMachine::choose_tsc_rate()
{
    const u64 model_khz = model_.tsc_hz / 1000;
    if (device_.extension(KVM_CAP_VM_TSC_CONTROL) > 0 && control(vm_, KVM_SET_TSC_KHZ, model_khz) == 0)
        return;
    const int host_khz = control(vm_, KVM_GET_TSC_KHZ);
    if (host_khz > 0)
        model_.tsc_hz = u64(host_khz) * 1000;
}

Result<void> KvmMachine::add_vcpu(unsigned index)
{
    FileDescriptor file{control(vm_, KVM_CREATE_VCPU, u64(index))};
    if (!file.valid())
        return kvm_error("create a processor");
    if (index == 0 && device_.extension(KVM_CAP_VM_TSC_CONTROL) <= 0)
        if (const int khz = control(file, KVM_GET_TSC_KHZ); khz > 0 && model_.tsc_hz != u64(khz) * 1000) {
            model_.tsc_hz = u64(khz) * 1000;
            time_ = std::make_unique<KvmTime>(wires_.clock, model_.tsc_hz);
        }
    if (auto told = set_kvm_cpuid(device_, file, model_, index); !told)
        return told;
    auto vcpu = KvmVcpu::create(
        index, std::move(file), device_.run_size(),
        {wires_.memory, wires_.ports, *memory_, gate_, *time_, wires_.acknowledge_interrupt, wires_.end_of_interrupt});
    if (!vcpu)
        return vcpu.error();
    if (!(*vcpu)->failure().empty())
        return Error{"A processor can't start under KVM", (*vcpu)->failure(), "Let Paddock choose the accelerator"};
    vcpus_.push_back(std::move(*vcpu));
    return {};
}

bool KvmMachine::take_features(u32 features)
{
    x86::CpuModel wanted = model_;
    wanted.features = features;
    // Earlier versions wrote down the host's features, of which the guest saw what KVM showed.
    if (features == model_.features || features == x86::host_features())
        return true;
    if (features & ~x86::most_features() || kvm_features(device_, wanted) != features)
        return false;
    for (const auto& vcpu : vcpus_)
        if (!vcpu->take_model(device_, wanted))
            return !(features & ~model_.features);
    model_ = wanted;
    return true;
}

bool KvmMachine::deliver(const InterruptMessage& message)
{
    if (message.mode == DeliveryMode::ext_int || message.mode == DeliveryMode::reserved || message.mode == DeliveryMode::smi)
        return false;
    if (message.level_triggered)
        watch_end_of_interrupt(message.vector);
    kvm_msi msi{};
    msi.address_lo = msi_window | (message.destination & 0xff) << 12 | (message.logical ? msi_logical : 0)
        | (message.mode == DeliveryMode::lowest_priority ? msi_redirect : 0);
    msi.data = message.vector | u32(message.mode) << 8 | msi_asserted | (message.level_triggered ? msi_level : 0);
    return control(vm_, KVM_SIGNAL_MSI, &msi) > 0;
}

// The kernel reports the end of those interrupts only that a route names as level-triggered; to whom doesn't matter, so a
// route for everybody stands for a vector. They are few: a guest gives each I/O APIC pin one.
void KvmMachine::watch_end_of_interrupt(u8 vector)
{
    if (watched_[vector])
        return;
    watched_[vector] = true;
    KvmList<kvm_irq_routing_entry, most_vectors> routes;
    for (unsigned n = 0; n < most_vectors; ++n) {
        if (!watched_[n])
            continue;
        kvm_irq_routing_entry entry{.gsi = routes.count(), .type = KVM_IRQ_ROUTING_MSI};
        entry.u.msi.address_lo = msi_window | 0xff << 12;
        entry.u.msi.data = n | msi_asserted | msi_level;
        routes.add(entry);
    }
    control(vm_, kvm_request::set_gsi_routing, routes.data());
}

std::vector<u8> KvmMachine::finished_vectors() const
{
    std::bitset<256> left = watched_;
    for (const auto& vcpu : vcpus_) {
        const Lapic::State lapic = vcpu->save_lapic();
        for (unsigned n = 0; n < 256; ++n)
            if ((lapic.isr[n / 32] | lapic.irr[n / 32]) >> n % 32 & 1)
                left[n] = false;
    }
    std::vector<u8> finished;
    for (unsigned n = 0; n < 256; ++n)
        if (left[n])
            finished.push_back(u8(n));
    return finished;
}

void KvmMachine::reset()
{
    watched_.reset();
    for (const auto& vcpu : vcpus_)
        vcpu->reset();
}

}
