#pragma once
// A large array of zeroes that takes memory only where it is written: for tables with an entry for each page of a guest.

#include <new>
#include <type_traits>
#include <utility>

#include <sys/mman.h>

#include "engine/base/types.h"

namespace engine {

template <class T> class ZeroedArray {
    static_assert(std::is_trivially_destructible_v<T>);

public:
    ZeroedArray() = default;
    explicit ZeroedArray(u64 size) : size_(size)
    {
        if (!size)
            return;
        void* const data = mmap(nullptr, bytes(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (data == MAP_FAILED)
            throw std::bad_alloc();
        data_ = static_cast<T*>(data);
    }
    ZeroedArray(ZeroedArray&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0))
    {
    }
    ZeroedArray& operator=(ZeroedArray&& other) noexcept
    {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ZeroedArray(const ZeroedArray&) = delete;
    ZeroedArray& operator=(const ZeroedArray&) = delete;
    ~ZeroedArray()
    {
        if (data_)
            munmap(static_cast<void*>(data_), bytes(size_));
    }

    u64 size() const { return size_; }
    T& operator[](u64 index) { return data_[index]; }
    const T& operator[](u64 index) const { return data_[index]; }
    const T* begin() const { return data_; }
    const T* end() const { return data_ + size_; }

private:
    static u64 bytes(u64 size)
    {
        struct Entry {
            T value;
        };
        return size * sizeof(Entry);
    }

    T* data_ = nullptr;
    u64 size_ = 0;
};

}
