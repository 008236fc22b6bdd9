#include "engine/machine/firmware/direct_boot.h"

#include <algorithm>

#include "engine/base/text.h"
#include "engine/machine/firmware/rom.h"

namespace engine {

namespace {
enum Register : unsigned { rax = 0, rbx = 3, rsp = 4 };
constexpr u64 flags_reset = 2, cr0_real = 0x10, cr0_protected = 0x11;
constexpr u16 real_code = 0x009b, real_data = 0x0093, flat_code = 0xc09b, flat_data = 0xc093;
constexpr u16 real_idt_limit = 0x3ff, flat_code_selector = 0x08, flat_data_selector = 0x10, flat_gdt_limit = 0x17;

x86::Segment real_segment(u16 selector, u16 attributes)
{
    return {.selector = selector, .attributes = attributes, .limit = 0xffff, .base = u64(selector) << 4};
}

x86::Segment flat_segment(u16 selector, u16 attributes)
{
    return {.selector = selector, .attributes = attributes, .limit = 0xffffffff, .base = 0};
}
}

bool load_pieces(const BootPlan& plan, AddressSpace& memory)
{
    static constexpr std::array<u8, page_size> zeroes{};
    for (const BootPlan::Piece& piece : plan.pieces) {
        if (!memory.dma_write(piece.address, piece.bytes))
            return false;
        for (u64 done = piece.bytes.size(); done < piece.size;) {
            const u64 part = std::min<u64>(piece.size - done, zeroes.size());
            if (!memory.dma_write(piece.address + done, std::span(zeroes).first(part)))
                return false;
            done += part;
        }
    }
    return true;
}

void set_entry_state(const BootPlan& plan, x86::CpuState& state)
{
    // Whatever mode the guest was in when it wrote to the port, the kernel finds the documented one.
    const x86::CpuState fresh;
    state.gpr.fill(0);
    state.rflags = flags_reset;
    state.cr0 = cr0_real;
    state.cr2 = state.cr3 = state.cr4 = state.cr8 = 0;
    state.efer = 0;
    state.ldtr = fresh.ldtr;
    state.tr = fresh.tr;
    state.idtr = {.base = 0, .limit = real_idt_limit};
    state.run_state = x86::RunState::running;
    state.interrupt_shadow = false;
    if (plan.entry == BootPlan::Entry::real_mode) {
        state.segments.fill(real_segment(plan.segment, real_data));
        state.segments[x86::cs] = real_segment(plan.code_segment, real_code);
        state.rip = 0;
        state.gpr[rsp] = plan.stack_pointer;
        return;
    }
    state.cr0 = cr0_protected;
    state.segments.fill(flat_segment(flat_data_selector, flat_data));
    state.segments[x86::cs] = flat_segment(flat_code_selector, flat_code);
    state.gdtr = {.base = plan.descriptor_table, .limit = flat_gdt_limit};
    state.rip = plan.instruction_pointer;
    state.gpr[rax] = plan.eax;
    state.gpr[rbx] = plan.ebx;
}

Result<std::unique_ptr<DirectBoot>> DirectBoot::prepare(
    const std::string& kernel, const std::string& initrd, const std::string& command_line, const BoardDescription& board)
{
    std::unique_ptr<DirectBoot> boot(new DirectBoot);
    auto kernel_file = read_whole_file(kernel, board.low_memory, "the kernel");
    if (!kernel_file)
        return kernel_file.error();
    boot->kernel_ = std::move(*kernel_file);
    if (!initrd.empty()) {
        auto initrd_file = read_whole_file(initrd, board.low_memory, "the initial RAM disk");
        if (!initrd_file)
            return initrd_file.error();
        boot->initrd_ = std::move(*initrd_file);
    }

    const BootFiles files{kernel, boot->kernel_, boot->initrd_, command_line};
    if (!is_linux_kernel(files.kernel) && !is_multiboot_kernel(files.kernel))
        return Error{
            text("Cannot boot the kernel ", kernel), "It is neither a Linux bzImage nor a Multiboot kernel",
            "Name a bzImage (a distribution's vmlinuz; an uncompressed vmlinux will not do) or a Multiboot kernel"};
    auto plan = is_linux_kernel(files.kernel) ? plan_linux(files, board) : plan_multiboot(files, board);
    if (!plan)
        return plan.error();
    boot->plan_ = std::move(*plan);
    return boot;
}

bool DirectBoot::install(AddressSpace& memory, x86::CpuState& state) const
{
    if (!load_pieces(plan_, memory))
        return false;
    set_entry_state(plan_, state);
    return true;
}

}
