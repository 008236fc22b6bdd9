#pragma once
// How one vCPU gets the others out of guest code for a moment: accesses that no host instruction makes atomic, and
// pages that become code while others may hold a writable translation of them.

#include <condition_variable>
#include <mutex>
#include <vector>

#include "engine/memory/memory_block.h"

namespace engine::x86 {

struct Cpu;

class Rendezvous final : public MemoryBlock::CodeListener {
public:
    // Before the machine runs.
    void add(Cpu& c);
    bool alone() const { return cpus_.size() < 2; }
    const std::vector<Cpu*>& cpus() const { return cpus_; }

    // A vCPU's thread enters before it runs guest code and leaves to wait or return.
    void enter();
    void leave();
    // Called inside, at a block edge, by a vCPU that was asked to step aside.
    void step_aside();
    // Called inside. Between the two no other vCPU runs guest code. Not with the machine's lock held.
    void begin_exclusive(Cpu& c);
    void end_exclusive();

    // Any thread: every vCPU with host code hears of the page at its next block edge.
    void code_written(const MemoryBlock& memory, u64 page) override;
    // The host addresses of the pages that were written since the last call, by whichever vCPU. `everything`: too many to
    // tell. A vCPU that finds none may go on only when the one that took them has dropped their code.
    std::vector<u64> take_stale(bool& everything);

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Cpu*> cpus_;
    unsigned inside_ = 0;
    bool exclusive_ = false;

    static constexpr std::size_t most_stale = 256;
    std::mutex stale_mutex_;
    std::vector<u64> stale_;
};

}
