#pragma once
// The translator as a vCPU sees it: host code for the blocks that its interpreter runs often.

#include <memory>

#include "engine/cpu/x86/host_code_tier.h"
#include "engine/translator/runtime/perf_map.h"

namespace engine::translator {

struct X86TierOptions {
    unsigned hot = 4;    // entries, 1 or more, before a block is worth translating
    u64 code_budget = 56 << 20;    // bytes, a MiB at the least; when they are used up what is old is dropped
    u64 kept_budget = 14 << 20;    // likewise, of the blocks that it was made of
    bool linked = true;    // false: run() comes back after each block
    bool busy_at_once = false;    // every block is translated as those are that take much time
    std::shared_ptr<PerfMap> perf_map = nullptr;    // told of each block, if there is one
};

class CodeStore;
// Of the code that a machine's vCPUs share. Null where no memory for code is to be had.
std::shared_ptr<CodeStore> make_code_store(const X86TierOptions& options);

// Null without a store; the interpreter goes on alone then.
std::unique_ptr<x86::HostCodeTier> make_x86_tier(x86::Cpu& c, std::shared_ptr<CodeStore> store);
// With a store of its own.
std::unique_ptr<x86::HostCodeTier> make_x86_tier(x86::Cpu& c, const X86TierOptions& options = {});

}
