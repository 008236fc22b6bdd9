#pragma once
// What runs hot blocks as code of the host. The translator implements it; the interpreter works without. One for each
// vCPU, used on its thread alone.

#include "engine/cpu/x86/block_cache.h"

namespace engine::x86 {

class HostCodeTier {
public:
    virtual ~HostCodeTier() = default;

    // Runs host code from the start of `block`, which stands at RIP, until the run loop is needed. False: nothing was
    // run, the interpreter is to take the block. Raises as handlers do; on_fault() then calls left().
    virtual bool run(Cpu& c, Block& block) = 0;
    // After a fault: brings the state back to where the interpreter keeps it.
    virtual void left(Cpu& c) = 0;
    // Drops the code made from pages that were written since.
    virtual void drop_stale(Cpu& c) = 0;
    // All host code goes.
    virtual void clear(Cpu& c) = 0;

    virtual TranslatorCounts counts() const { return {}; }    // any thread
    virtual std::optional<TranslatedBlock> translation_of(Cpu&, u64) { return {}; }
};

}
