// What brings a vCPU out of the guest, api.rst 5.
#include <algorithm>
#include <cstring>
#include <optional>

#include <linux/kvm.h>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/cpu/kvm/kvm_device.h"
#include "engine/cpu/kvm/kvm_vcpu.h"

namespace engine {

std::optional<VcpuExit> KvmVcpu::handle_exit()
{
    switch (run_->exit_reason) {
    case KVM_EXIT_IO:
        access_ports();
        return {};
    case KVM_EXIT_MMIO:
        access_memory();
        return {};
    case KVM_EXIT_IOAPIC_EOI:
        wires_.end_of_interrupt(run_->eoi.vector);
        return {};
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_HLT:
        return {};
    case KVM_EXIT_SHUTDOWN:
        return VcpuExit::shutdown;
    case KVM_EXIT_INTERNAL_ERROR:
        return failed(internal_error());
    case KVM_EXIT_FAIL_ENTRY:
        return failed(text(
            "the host's processor refused to enter the guest, reason ", hex(run_->fail_entry.hardware_entry_failure_reason),
            ": its state can't exist"));
    default:
        return failed(text("KVM stopped it for a reason that Paddock does not know, number ", run_->exit_reason));
    }
}

// A string instruction brings several values at once.
void KvmVcpu::access_ports()
{
    const auto& io = run_->io;
    const bool sound = (io.size == 1 || io.size == 2 || io.size == 4) && io.data_offset <= run_size_
        && u64(io.count) * io.size <= run_size_ - io.data_offset;
    unfinished_access_ = true;
    if (!sound)
        return;
    u8* data = reinterpret_cast<u8*>(run_) + io.data_offset;
    std::optional<std::lock_guard<std::mutex>> lock;
    if (std::mutex* machine_lock = wires_.ports.machine_lock())
        lock.emplace(*machine_lock);
    for (u32 n = 0; n < io.count; ++n, data += io.size) {
        u32 value = 0;
        if (io.direction == KVM_EXIT_IO_OUT) {
            std::memcpy(&value, data, io.size);
            wires_.ports.write_locked(io.port, value, io.size);
        } else {
            value = wires_.ports.read_locked(io.port, io.size);
            std::memcpy(data, &value, io.size);
        }
    }
}

void KvmVcpu::access_memory()
{
    auto& mmio = run_->mmio;
    const u64 address = wires_.slots.gated(mmio.phys_addr);
    const unsigned size = std::min<unsigned>(mmio.len, sizeof mmio.data);
    unfinished_access_ = true;
    // KVM cuts at pages, not at powers of two; registers know only those.
    for (unsigned at = 0; at < size;) {
        const unsigned part = 1u << (std::bit_width(size - at) - 1);
        u64 value = 0;
        if (mmio.is_write) {
            std::memcpy(&value, mmio.data + at, part);
            wires_.memory.write(address + at, value, part);
        } else {
            value = wires_.memory.read(address + at, part);
            std::memcpy(mmio.data + at, &value, part);
        }
        at += part;
    }
}

VcpuExit KvmVcpu::failed(std::string why)
{
    failure_ = std::move(why);
    return VcpuExit::failed;
}

std::string KvmVcpu::internal_error() const
{
    if (!wires_.slots.failure().empty())
        return wires_.slots.failure();
    kvm_regs regs{};
    kvm_sregs sregs{};
    control(vcpu_, KVM_GET_REGS, &regs);
    control(vcpu_, KVM_GET_SREGS, &sregs);
    const std::string place = text("at ", hex(sregs.cs.base + regs.rip, 8));
    if (run_->internal.suberror != KVM_INTERNAL_ERROR_EMULATION)
        return text("KVM met an error of its own ", place, ", number ", run_->internal.suberror);
    std::string bytes;
    const auto& failure = run_->emulation_failure;
    if (run_->internal.ndata >= 3 && failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)
        for (unsigned n = 0; n < std::min<unsigned>(failure.insn_size, sizeof failure.insn_bytes); ++n)
            bytes += text(n ? " " : ", bytes ", hex(failure.insn_bytes[n], 2));
    return text(
        "KVM can't emulate the guest's instruction ", place, bytes,
        "; the guest ran astray, or this computer's KVM is incomplete and Paddock's translator has to run the machine");
}

}
