#pragma once
// The translator as a vCPU sees it: host code for the blocks that its interpreter runs often.

#include <memory>

#include "engine/cpu/x86/host_code_tier.h"
#include "engine/translator/runtime/perf_map.h"

namespace engine::translator {

struct X86TierOptions {
    unsigned hot = 4;    // entries, 1 or more, before a block is worth translating
    u64 code_budget = 56 << 20;    // bytes; when they are used up everything is dropped and translated anew
    bool linked = true;    // false: run() comes back after each block
    std::shared_ptr<PerfMap> perf_map = nullptr;    // told of each block, if there is one
};

// Null where no memory for code is to be had; the interpreter goes on alone then.
std::unique_ptr<x86::HostCodeTier> make_x86_tier(x86::Cpu& c, const X86TierOptions& options = {});

}
