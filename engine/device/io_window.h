#pragma once
// A byte-wide stretch of registers as a pair of member functions, for devices with several stretches: u8 read(u64 offset)
// and void write(u64 offset, u8 value). Wider accesses take the bytes from the lowest offset up.

#include "engine/device/device.h"

namespace engine {

template <class Owner> class IoWindow final : public IoHandler {
public:
    using Read = u8 (Owner::*)(u64 offset);
    using Write = void (Owner::*)(u64 offset, u8 value);

    IoWindow(Owner& owner, Read reader, Write writer) : owner_(owner), read_(reader), write_(writer) { }

    u64 read(u64 offset, unsigned size) override
    {
        u64 value = 0;
        for (unsigned n = 0; n < size; ++n)
            value |= u64((owner_.*read_)(offset + n)) << (8 * n);
        return value;
    }
    void write(u64 offset, u64 value, unsigned size) override
    {
        for (unsigned n = 0; n < size; ++n)
            (owner_.*write_)(offset + n, u8(value >> (8 * n)));
    }

private:
    Owner& owner_;
    Read read_;
    Write write_;
};

}
