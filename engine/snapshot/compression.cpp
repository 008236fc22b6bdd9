#include "engine/snapshot/compression.h"

#include <memory>

#include <zstd.h>

namespace engine {

namespace {
struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
}

std::vector<u8> compress(std::span<const u8> bytes, int level)
{
    static thread_local const std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
    if (!context)
        return {};
    std::vector<u8> packed(ZSTD_compressBound(bytes.size()));
    const std::size_t length = ZSTD_compressCCtx(context.get(), packed.data(), packed.size(), bytes.data(), bytes.size(), level);
    if (ZSTD_isError(length) || length >= bytes.size())
        return {};
    packed.resize(length);
    return packed;
}

bool decompress(std::span<const u8> bytes, std::span<u8> to)
{
    static thread_local const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
    return context && ZSTD_decompressDCtx(context.get(), to.data(), to.size(), bytes.data(), bytes.size()) == to.size();
}

}
