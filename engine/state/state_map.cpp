#include "engine/state/state_map.h"

#include <algorithm>

namespace engine {

void StateLoader::scalar(std::string_view name, u64& value, std::size_t)
{
    if (const auto found = map_.scalars.find(full(name)); found != map_.scalars.end())
        value = found->second;
}

void StateLoader::blob(std::string_view name, std::span<u8> bytes)
{
    const auto found = map_.blobs.find(full(name));
    if (found != map_.blobs.end() && found->second.size() == bytes.size())
        std::ranges::copy(found->second, bytes.begin());
}

void StateLoader::bytes_of(std::string_view name, std::vector<u8>& bytes, std::size_t limit)
{
    const auto found = map_.blobs.find(full(name));
    if (found != map_.blobs.end() && found->second.size() <= limit)
        bytes = found->second;
}

}
