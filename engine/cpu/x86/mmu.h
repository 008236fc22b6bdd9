#pragma once
// From linear addresses to physical ones and on to host memory. SDM vol. 3, chapter 4.

#include "engine/cpu/x86/access.h"

namespace engine::x86 {

struct Translation {
    u64 physical = 0;
    bool writable = false;    // a write entry may be cached: dirty bit is set and the page allows it
    bool global = false;
    bool has_key = false;    // a user page's, and not key 0
};

// Walks the page tables with the rights of the current TLB context; sets accessed and dirty bits. False: `c.fault` and
// CR2 describe the page fault.
bool translate(Cpu& c, u64 linear, Access access, Translation& to);
// The same without touching guest state: for the debugger and for tests. Supervisor rights.
bool peek(const Cpu& c, u64 linear, u64& physical);

// What stands at a physical address, by the vCPU's own copy of the flat view. `size` 0: nothing.
const FlatRange* find_range(const Cpu& c, u64 physical);
u64 masked_physical(const Cpu& c, u64 physical);

// Host address of the page that holds the code at `linear`, filling the fetch TLB; raises #PF. `block` and `offset`
// say where the page lies; null host: code outside memory.
struct CodePage {
    u8* host = nullptr;
    MemoryBlock* memory = nullptr;
    u64 page = 0;    // within memory
};
CodePage fetch_page(Cpu& c, u64 linear);

}
