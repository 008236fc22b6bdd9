// What snapshots do with the memory of a machine.
#include <algorithm>

#include <unistd.h>

#include "engine/machine/machine_snapshots.h"

namespace engine {

// Where the guest's writes are only logged.
Result<void> MachineSnapshots::copy_ahead(const MemoryKeeper::Progress& progress)
{
    const auto read_log = [this](const std::function<void()>& then) {
        const std::lock_guard lock(life_.lock());
        board_->collect_writes();
        then();
    };
    return keeper_->copy_ahead(store_, read_log, progress);
}

void MachineSnapshots::replace_memory(const SharedTables& tables)
{
    const auto& blocks = keeper_->blocks();
    const auto held = source_->hold();
    board_->collect_writes();
    for (unsigned n = 0; n < blocks.size(); ++n)
        replace_block(n, tables->at(blocks[n]->name()));
    source_->set_tables(tables);
    keeper_->set_base(tables);
    const auto at_hand = board_->memories_at_hand();
    for (unsigned n = 0; n < blocks.size(); ++n)
        if (!source_->comes_when_touched(n) || std::ranges::find(at_hand, blocks[n]) != at_hand.end())
            source_->bring_all(n);
}

// Pages that differ from what is wanted are missing from here on.
void MachineSnapshots::replace_block(unsigned n, const PageTable& wanted)
{
    MemoryBlock& block = *keeper_->blocks()[n];
    const bool fresh = ::lseek(block.file(), 0, SEEK_DATA) < 0;    // nobody ever touched it: zero where nothing is wanted
    if (fresh) {
        for (const auto& [begin, end] : wanted.stretches)
            for (u64 page = begin; page < end; ++page)
                block.set_missing(page);
        return;
    }
    const PageTable* const had = keeper_->has_base() ? &keeper_->base()->at(block.name()) : nullptr;
    for (u64 page = 0; page < block.pages(); ++page) {
        // Without a base only memory that nobody touched is known.
        const bool untouched = had ? !keeper_->changed(n, page) && (*had)[page] == wanted[page]
                                   : board_->tells_of_writes() && !wanted[page] && block.written_in(page) == 0;
        if (!untouched)
            block.set_missing(page);
    }
}

}
