#pragma once
// A count that one thread keeps and others may read.

#include <atomic>

#include "engine/base/types.h"

namespace engine {

class Counter {
public:
    void operator+=(u64 more) { value_.store(value() + more, std::memory_order_relaxed); }
    void operator++() { *this += 1; }
    u64 value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<u64> value_ = 0;
};

}
