#pragma once
// Guest code as its bytes, put together piece by piece.

#include <vector>

#include "engine/base/types.h"

namespace engine {

using Bytes = std::vector<u8>;

inline Bytes operator+(Bytes a, const Bytes& b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}
inline Bytes dword(u64 value)
{
    return {u8(value), u8(value >> 8), u8(value >> 16), u8(value >> 24)};
}

}
