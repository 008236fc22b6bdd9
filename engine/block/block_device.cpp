#include "engine/block/block_device.h"

namespace engine {

bool request_makes_sense(const BlockDevice& device, const BlockRequest& request)
{
    if (request.operation == BlockOperation::flush)
        return true;
    const u64 unit = device.sector_size();
    if (request.offset % unit || request.length % unit)
        return false;
    if (request.offset > device.size() || request.length > device.size() - request.offset)
        return false;
    if (request.operation != BlockOperation::read && request.operation != BlockOperation::write)
        return true;
    u64 sum = 0;
    for (const auto& segment : request.segments)
        sum += segment.size();
    return sum == request.length;
}

}
