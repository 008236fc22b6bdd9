// Any bytes as a tar archive.

#include <algorithm>

#include "engine/block/tar_archive.h"

namespace {

struct Source : engine::TarSource {
    const uint8_t* data;
    std::size_t length;
    engine::u64 size() const override { return length; }
    bool read(engine::u64 offset, std::span<engine::u8> to) override
    {
        if (offset > length || to.size() > length - offset)
            return false;
        std::copy_n(data + offset, to.size(), to.begin());
        return true;
    }
};

}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    Source source;
    source.data = data;
    source.length = size;
    const auto entries = engine::read_tar(source, "fuzz");
    if (entries)
        for (const engine::TarEntry& entry : entries.value())
            if (entry.offset > size || entry.size > size - entry.offset)
                __builtin_trap();
    return 0;
}
