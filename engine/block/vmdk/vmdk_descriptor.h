#pragma once
// The text that describes a VMDK disk: VMware's Virtual Disk Format 5.0, "The Descriptor File". The text is untrusted.

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine {

struct VmdkDescriptor {
    struct Extent {
        enum class Kind : u8 { sparse, flat, zero } kind = Kind::zero;
        u64 sectors = 0;
        std::string file;    // a name without a folder; "" for zero
        u64 offset = 0;    // flat: sectors of the file before it
    };
    std::string create_type;
    bool differs = false;    // from a parent
    std::vector<Extent> extents;
};

// The error's `why` alone is filled in.
Result<VmdkDescriptor> parse_vmdk_descriptor(std::string_view text);

constexpr u64 longest_vmdk_descriptor = 1 << 20;    // bytes

}
