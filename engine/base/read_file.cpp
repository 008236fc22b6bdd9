#include "engine/base/read_file.h"

#include <cerrno>

#include <unistd.h>

namespace engine {

bool read_file(int file, u64 offset, std::span<u8> to)
{
    while (!to.empty()) {
        const ssize_t count = ::pread(file, to.data(), to.size(), off_t(offset));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        to = to.subspan(std::size_t(count));
        offset += u64(count);
    }
    return true;
}

}
