#pragma once
// The 64 Ki I/O ports.

#include <array>
#include <mutex>
#include <vector>

#include "engine/base/types.h"
#include "engine/device/device.h"

namespace engine {

class PortSpace {
public:
    // `machine_lock` is taken around every access (vCPU threads); null in tests.
    explicit PortSpace(std::mutex* machine_lock = nullptr) : machine_lock_(machine_lock) { }

    // The handler gets offset = port - first. Wider accesses than `widest` (1, 2 or 4 bytes), and those that run past the
    // claim's end, arrive split into bytes. A later claim hides an earlier one until it is released. Machine's lock held.
    void claim(u16 first, unsigned count, IoHandler& handler, unsigned widest = 1);
    void release(u16 first, unsigned count, IoHandler& handler);

    // vCPU threads. Nothing there: all ones, writes ignored.
    u32 read(u16 port, unsigned size);
    void write(u16 port, u32 value, unsigned size);
    // The same, with the machine's lock already held.
    u32 read_locked(u16 port, unsigned size);
    void write_locked(u16 port, u32 value, unsigned size);

    std::mutex* machine_lock() const { return machine_lock_; }

private:
    struct Claim {
        u16 first;
        u16 last;
        unsigned widest;
        IoHandler* handler;
    };
    const Claim* find(u16 port) const;

    std::mutex* machine_lock_;
    std::vector<Claim> claims_;
    std::array<u16, 0x10000> index_{};    // claim number + 1
    void rebuild();
};

}
