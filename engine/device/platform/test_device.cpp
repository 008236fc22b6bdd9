#include "engine/device/platform/test_device.h"

#include <algorithm>
#include <utility>

#include "engine/base/bits.h"

namespace engine {

namespace {
constexpr std::size_t flush_size = 512;
constexpr u64 flush_delay = 2'000'000;
}

void DebugConsole::claim(PortSpace& space)
{
    space.claim(0x402, 1, *this);
    space.claim(0xe9, 1, *this);
}

void DebugConsole::write(u64, u64 value, unsigned)
{
    unsent_.push_back(char(value));
    if (value == '\n' || unsent_.size() >= flush_size)
        flush();
    else if (!flush_timer_.armed())
        flush_timer_.arm(deadlines_.now() + flush_delay);
}

void DebugConsole::flush()
{
    flush_timer_.cancel();
    if (unsent_.empty())
        return;
    const std::string bytes = std::exchange(unsent_, {});
    if (output_)
        output_(bytes);
}

void TestDevice::claim(PortSpace& ports, AddressSpace& memory, int priority)
{
    ports.claim(0xf4, 4, exit_, 4);
    ports.claim(0xe0, 4, storage_, 4);
    ports.claim(0xe4, 4, flush_, 4);
    // One byte here is the debug console's, which claims it later.
    ports.claim(0xe8, 4, byte_storage_, 1);
    ports.claim(0x2000, inputs, interrupts_, 4);
    memory.add_io("test device", memory_base, memory_size, priority, memory_);
}

u64 TestDevice::Bytes::read(u64 offset, unsigned size)
{
    if (size > 8 || offset > bytes.size() || size > bytes.size() - offset)
        return ~u64(0);
    u64 value = 0;
    std::memcpy(&value, bytes.data() + offset, size);
    return value;
}

void TestDevice::Bytes::write(u64 offset, u64 value, unsigned size)
{
    if (size <= 8 && offset <= bytes.size() && size <= bytes.size() - offset)
        std::memcpy(bytes.data() + offset, &value, size);
}

void TestDevice::Exit::write(u64 offset, u64 value, unsigned)
{
    if (offset == 0 && owner.wires_.exit)
        owner.wires_.exit(int((value << 1 | 1) & 0xff));
}

void TestDevice::Interrupts::write(u64 offset, u64 value, unsigned)
{
    if (offset >= inputs)
        return;
    owner.s_.interrupts = u32(value ? owner.s_.interrupts | 1u << offset : owner.s_.interrupts & ~(1u << offset));
    if (owner.wires_.set_interrupt)
        owner.wires_.set_interrupt(unsigned(offset), value != 0);
}

void TestDevice::reset()
{
    const u32 raised = std::exchange(s_.interrupts, 0u);
    s_ = {};
    for (unsigned n = 0; n < inputs; ++n)
        if (bit(raised, n) && wires_.set_interrupt)
            wires_.set_interrupt(n, false);
}

void TestDevice::visit(StateVisitor& v)
{
    auto& [storage, byte_storage, interrupts, memory] = s_;
    v.field("storage", storage);
    v.field("byte_storage", byte_storage);
    v.field("interrupts", interrupts);
    v.field("memory", memory);
}

bool TestDevice::restored()
{
    if (s_.interrupts >> inputs)
        return false;
    for (unsigned n = 0; n < inputs; ++n)
        if (bit(s_.interrupts, n) && wires_.set_interrupt)
            wires_.set_interrupt(n, true);
    return true;
}

}
