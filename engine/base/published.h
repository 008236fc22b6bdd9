#pragma once
// A value that one thread writes and others read, each time as a whole. Who sees it sees what was written before it.

#include <atomic>

namespace engine {

template <class T> class Published {
public:
    Published() = default;
    Published(T value) : value_(value) { }
    Published(const Published& other) : value_(T(other)) { }
    Published& operator=(const Published& other)
    {
        if (this != &other)
            value_.store(other, std::memory_order_release);
        return *this;
    }
    Published& operator=(T value)
    {
        value_.store(value, std::memory_order_release);
        return *this;
    }
    operator T() const { return value_.load(std::memory_order_acquire); }
    T operator->() const { return *this; }

private:
    std::atomic<T> value_{};
};

}
