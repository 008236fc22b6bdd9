#include "engine/block/qcow2/compression.h"

#include <zlib.h>
#include <zstd.h>

namespace engine::qcow2 {

namespace {

constexpr int raw_deflate = -12, deflate_memory = 9;    // a window of 4 KiB and no header: what the format wants
constexpr int zstd_level = 3, zstd_window_log = 23;    // a window is never much more than the largest cluster

bool inflate_cluster(std::span<const u8> from, std::span<u8> to)
{
    z_stream stream{};
    if (inflateInit2(&stream, raw_deflate) != Z_OK)
        return false;
    // zlib's interface knows no const, and writes nothing there.
    stream.next_in = const_cast<u8*>(from.data());    // NOLINT(cppcoreguidelines-pro-type-const-cast)
    stream.avail_in = uInt(from.size());
    stream.next_out = to.data();
    stream.avail_out = uInt(to.size());
    const int outcome = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    // What follows the stream, up to the end of its last sector, may look like more of it.
    return stream.avail_out == 0 && (outcome == Z_STREAM_END || outcome == Z_BUF_ERROR);
}

bool unzstd_cluster(std::span<const u8> from, std::span<u8> to)
{
    ZSTD_DStream* stream = ZSTD_createDStream();
    if (!stream)
        return false;
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, zstd_window_log);
    ZSTD_inBuffer in{from.data(), from.size(), 0};
    ZSTD_outBuffer out{to.data(), to.size(), 0};
    bool sound = true;
    while (sound && out.pos < out.size) {
        const std::size_t before_in = in.pos, before_out = out.pos;
        const std::size_t outcome = ZSTD_decompressStream(stream, &out, &in);
        sound = !ZSTD_isError(outcome) && (in.pos != before_in || out.pos != before_out);
    }
    ZSTD_freeDStream(stream);
    return sound;
}

std::vector<u8> deflate_cluster(std::span<const u8> from)
{
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, raw_deflate, deflate_memory, Z_DEFAULT_STRATEGY) != Z_OK)
        return {};
    std::vector<u8> to(from.size());
    stream.next_in = const_cast<u8*>(from.data());    // NOLINT(cppcoreguidelines-pro-type-const-cast)
    stream.avail_in = uInt(from.size());
    stream.next_out = to.data();
    stream.avail_out = uInt(to.size() - 1);
    const bool fits = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    to.resize(fits ? stream.total_out : 0);
    deflateEnd(&stream);
    return to;
}

}

bool decompress(Compression type, std::span<const u8> from, std::span<u8> to)
{
    return type == Compression::zlib ? inflate_cluster(from, to) : unzstd_cluster(from, to);
}

std::vector<u8> compress(Compression type, std::span<const u8> from)
{
    if (type == Compression::zlib)
        return deflate_cluster(from);
    std::vector<u8> to(from.size() - 1);
    const std::size_t length = ZSTD_compress(to.data(), to.size(), from.data(), from.size(), zstd_level);
    to.resize(ZSTD_isError(length) ? 0 : length);
    return to;
}

}
