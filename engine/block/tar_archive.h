#pragma once
// The files in a tar archive: IEEE Std 1003.1, "pax Interchange Format", ustar headers, with GNU's binary sizes beyond 8 GiB.
// What is read is taken for hostile. Waits for the host.
//
// Not modelled: names and sizes that stand in pax records or GNU's long-name entries (refused, by name), sparse entries,
// links and devices (passed over), compressed archives.

#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine {

// A regular file. It lies whole in the archive.
struct TarEntry {
    std::string name;    // as it stands there; may be anything
    u64 offset = 0, size = 0;    // bytes
};

class TarSource {
public:
    virtual ~TarSource() = default;
    virtual u64 size() const = 0;
    virtual bool read(u64 offset, std::span<u8> to) = 0;    // false where it can't be filled entirely
};

constexpr std::size_t most_tar_entries = 4096;

// `name` is what messages call the archive.
Result<std::vector<TarEntry>> read_tar(TarSource& source, const std::string& name);
Result<std::vector<TarEntry>> read_tar(const std::string& path);

}
