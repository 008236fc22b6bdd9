#pragma once
// /tmp/perf-PID.map, by which perf names code that was made at run time: a line "START SIZE NAME" for each block, in
// hexadecimal. linux/tools/perf/Documentation/jit-interface.txt.

#include <cstdio>
#include <memory>
#include <mutex>

#include "engine/base/types.h"

namespace engine::translator {

class PerfMap {
public:
    // Null where the file can't be made: profiles without names are no reason to stop.
    static std::shared_ptr<PerfMap> create();
    ~PerfMap() { std::fclose(file_); }
    PerfMap(const PerfMap&) = delete;
    PerfMap& operator=(const PerfMap&) = delete;

    // Any thread. The block at `guest`, of code of `bits` bits.
    void add(const u8* code, u64 size, u64 guest, unsigned bits);

private:
    explicit PerfMap(std::FILE* file) : file_(file) { }

    std::mutex mutex_;
    std::FILE* file_;
};

}
