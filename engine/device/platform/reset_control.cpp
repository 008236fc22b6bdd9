#include "engine/device/platform/reset_control.h"

namespace engine {

namespace {
constexpr u8 p92_reset = 0x01, p92_a20 = 0x02;
constexpr u8 rc_system = 0x02, rc_reset_processor = 0x04;
}

ResetControl::ResetControl(Wires wires)
    : wires_(std::move(wires)),
      port92_(*this, &ResetControl::read_port92, &ResetControl::write_port92),
      rc_(*this, &ResetControl::read_rc, &ResetControl::write_rc)
{
}

void ResetControl::claim(PortSpace& ports)
{
    ports.claim(0x92, 1, port92_);
    ports.claim(0xcf9, 1, rc_);
}

void ResetControl::write_port92(u64, u8 value)
{
    const u8 before = s_.port92;
    s_.port92 = value & (p92_reset | p92_a20);
    if ((before ^ s_.port92) & p92_a20 && wires_.a20)
        wires_.a20(a20());
    if (s_.port92 & ~before & p92_reset)
        ask(Reset::processor);
}

void ResetControl::write_rc(u64, u8 value)
{
    const u8 before = s_.rc;
    s_.rc = value & (rc_system | rc_reset_processor);
    if (s_.rc & ~before & rc_reset_processor)
        ask(s_.rc & rc_system ? Reset::system : Reset::processor);
}

void ResetControl::ask(Reset kind)
{
    if (wires_.reset)
        wires_.reset(kind);
}

void ResetControl::reset()
{
    const bool before = a20();
    s_ = {};
    if (before && wires_.a20)
        wires_.a20(false);
}

void ResetControl::visit(StateVisitor& v)
{
    auto& [port92, rc] = s_;
    v.field("port92", port92);
    v.field("rc", rc);
}

bool ResetControl::restored()
{
    if (s_.port92 & ~(p92_reset | p92_a20) || s_.rc & ~(rc_system | rc_reset_processor))
        return false;
    if (wires_.a20)
        wires_.a20(a20());
    return true;
}

}
