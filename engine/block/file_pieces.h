#pragma once
// A file that is to be had in pieces, and perhaps compressed, as disks lie in exported machines: made whole. What is read is
// taken for hostile. Waits for the host.
//
// Not modelled: compressions other than gzip's (RFC 1952).

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine {

struct FilePiece {
    std::string path;    // the file it lies in
    u64 offset = 0, size = 0;    // bytes
};

enum class FilePacking : u8 { none, gzip };

struct PiecedFile {
    std::vector<FilePiece> pieces{};    // one after the other
    FilePacking packing = FilePacking::none;    // of the whole
    u64 most = ~u64(0);    // bytes that it may have when it is unpacked
};

// What a piece holds, in order and once each; every piece is begun and ended, even an empty one. An error ends the copying.
class PieceObserver {
public:
    virtual ~PieceObserver() = default;
    virtual void bytes(std::span<const u8> part) = 0;    // of the piece that is read now
    virtual Result<void> end_of_piece(std::size_t number) = 0;
};

// Into the new file `to`, with holes where there are long runs of zeroes; with an empty name it is only read. The progress,
// 0 to 1, ends it by returning false. What an error leaves of `to` is of no use.
Result<void> copy_pieces(
    const PiecedFile& from, const std::string& to, PieceObserver* observer = nullptr,
    const std::function<bool(double)>& progress = {});

}
