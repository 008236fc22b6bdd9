#pragma once
// One description of a device's state, walked by every reader of that state: the snapshot writer, the snapshot
// loader, the inspector and the state hash. Fields go by name; a missing field keeps its reset value on load.

#include <array>
#include <concepts>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "engine/base/types.h"

namespace engine {

class StateVisitor {
public:
    virtual ~StateVisitor() = default;

    template <class T>
    requires(std::integral<T> || std::is_enum_v<T>) void field(std::string_view name, T& value)
    {
        u64 wide = u64(value);
        scalar(name, wide, sizeof(T));
        value = static_cast<T>(wide);
    }

    template <std::size_t N> void field(std::string_view name, std::array<u8, N>& bytes) { blob(name, bytes); }

    // Arrays of wider scalars are stored in host (little-endian) byte order.
    template <class T, std::size_t N>
    requires((std::integral<T> || std::is_enum_v<T>)&&sizeof(T) > 1) void field(std::string_view name, std::array<T, N>& values)
    {
        blob(name, {reinterpret_cast<u8*>(values.data()), sizeof values});
    }

    // The loader never grows `bytes` beyond `limit`.
    void field(std::string_view name, std::vector<u8>& bytes, std::size_t limit) { bytes_of(name, bytes, limit); }

    // A nested State: anything with `void visit(StateVisitor&)`.
    template <class T> void group(std::string_view name, T& part)
    {
        enter(name);
        part.visit(*this);
        leave();
    }

    // The same for each element of an array, named name.0, name.1, …
    template <class Range> void groups(std::string_view name, Range& parts)
    {
        enter(name);
        unsigned index = 0;
        for (auto& part : parts)
            group(std::to_string(index++), part);
        leave();
    }

    virtual void enter(std::string_view name) = 0;
    virtual void leave() = 0;

protected:
    virtual void scalar(std::string_view name, u64& value, std::size_t width) = 0;
    virtual void blob(std::string_view name, std::span<u8> bytes) = 0;
    virtual void bytes_of(std::string_view name, std::vector<u8>& bytes, std::size_t limit) = 0;
};

}
