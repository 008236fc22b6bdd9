// Any bytes as an optical disc image. The input is laid over a disc's descriptors so that few bytes reach far.

#include <algorithm>

#include "engine/block/iso9660.h"

namespace {

struct Source : engine::IsoSource {
    const uint8_t* data;
    std::size_t length;
    engine::u64 size() const override { return 32768 + length; }
    bool read(engine::u64 offset, std::span<engine::u8> to) override
    {
        if (offset > size() || to.size() > size() - offset)
            return false;
        for (auto& byte : to) {
            byte = offset < 32768 ? 0 : data[offset - 32768];
            ++offset;
        }
        return true;
    }
};

}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    Source source;
    source.data = data;
    source.length = size;
    const auto info = engine::read_iso(source, "fuzz");
    if (info && (info.value().disk_info.size() > 4096 || info.value().tree_info.size() > 65536))
        __builtin_trap();
    return 0;
}
