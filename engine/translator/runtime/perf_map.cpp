#include "engine/translator/runtime/perf_map.h"

#include <unistd.h>

#include "engine/base/text.h"

namespace engine::translator {

std::shared_ptr<PerfMap> PerfMap::create()
{
    // "x": another one's file, or a link in its place, is not written to.
    std::FILE* const file = std::fopen(text("/tmp/perf-", getpid(), ".map").c_str(), "wxe");
    return file ? std::shared_ptr<PerfMap>(new PerfMap(file)) : nullptr;
}

void PerfMap::add(const u8* code, u64 size, u64 guest, unsigned bits)
{
    const std::string line = text(hex(u64(code)), " ", hex(size), " guest_", hex(guest), "_", bits, "\n");
    const std::lock_guard lock(mutex_);
    std::fputs(line.c_str(), file_);
    std::fflush(file_);
}

}
