#include "engine/block/foreign_image.h"

#include <cstring>

namespace engine {

BlockResult ForeignImage::execute(const BlockRequest& request)
{
    if (request.operation == BlockOperation::flush)
        return {};
    if (request.operation != BlockOperation::read)
        return {BlockFault::read_only, {"The image " + in_quotes(path_) + " is read-only", "", ""}};
    std::vector<u8> unpacked;
    for (u64 done = 0; done < request.length;) {
        Place found;
        int error_number = place(request.offset + done, request.length - done, found);
        const auto to = slice(request.segments, done, found.length);
        if (!error_number && found.zero)
            fill_with_zeroes(to);
        else if (!error_number && !found.packed)
            error_number = found.file->read(found.offset, to);
        else if (!error_number && (!unpack(found, unpacked) || unpacked.size() < found.within + found.length))
            error_number = damaged;
        if (error_number == damaged)
            return {BlockFault::input_output, damage("a block contradicts the rest")};
        if (error_number)
            return image_failure(path_, "read", error_number);
        if (found.packed && !found.zero) {
            const u8* from = unpacked.data() + found.within;
            for (const iovec& part : to) {
                std::memcpy(part.iov_base, from, part.iov_len);
                from += part.iov_len;
            }
        }
        done += found.length;
    }
    return {};
}

ImageLayer::Extent ForeignImage::extent(u64 offset, u64 most)
{
    Place found;
    if (place(offset, most, found) != 0)
        return {.length = most};
    return {.length = found.length, .zero = found.zero};
}

Error ForeignImage::unusable(std::string why, std::string what_to_do) const
{
    return {"The image " + in_quotes(path_) + " can't be used", std::move(why), std::move(what_to_do)};
}

}
