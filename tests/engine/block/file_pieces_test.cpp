#include "tests/engine/block/disk_fixture.h"

#include <sys/stat.h>
#include <zlib.h>

#include "engine/block/file_pieces.h"

using namespace engine;

namespace {

class FilePieces : public DiskTest {
protected:
    static std::vector<u8> gzipped(const std::vector<u8>& bytes)
    {
        z_stream stream{};
        constexpr int gzip_only = 16, usual_memory = 8;
        EXPECT_EQ(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzip_only + MAX_WBITS, usual_memory, Z_DEFAULT_STRATEGY), Z_OK);
        std::vector<u8> packed(deflateBound(&stream, bytes.size())), copy = bytes;
        stream.next_in = copy.data();
        stream.avail_in = uInt(copy.size());
        stream.next_out = packed.data();
        stream.avail_out = uInt(packed.size());
        EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
        packed.resize(stream.total_out);
        deflateEnd(&stream);
        return packed;
    }
    // `bytes` in files of at most `length`.
    PiecedFile split(const std::vector<u8>& bytes, u64 length, FilePacking packing) const
    {
        PiecedFile file{.packing = packing};
        for (u64 at = 0; at < bytes.size(); at += length) {
            const std::string name = "piece" + std::to_string(file.pieces.size());
            const u64 size = std::min(length, bytes.size() - at);
            put(name, {bytes.begin() + std::ptrdiff_t(at), bytes.begin() + std::ptrdiff_t(at + size)});
            file.pieces.push_back({path(name), 0, size});
        }
        return file;
    }
    std::string failure(const PiecedFile& file) const
    {
        std::filesystem::remove(path("whole"));
        const auto copied = copy_pieces(file, path("whole"));
        return copied ? "" : copied.error().text();
    }
    // Noise, zeroes, noise.
    static std::vector<u8> content()
    {
        std::vector<u8> bytes = noise(300'000, 1);
        bytes.resize(3'000'000);
        const std::vector<u8> more = noise(100'001, 2);
        bytes.insert(bytes.end(), more.begin(), more.end());
        return bytes;
    }
};

TEST_F(FilePieces, become_the_file_again)
{
    const std::vector<u8> bytes = content();
    for (const u64 length : {u64(1) << 24, u64(1'000'000), u64(4097)}) {
        EXPECT_EQ(failure(split(bytes, length, FilePacking::none)), "");
        EXPECT_EQ(contents("whole"), bytes);
        EXPECT_EQ(failure(split(gzipped(bytes), length, FilePacking::gzip)), "");
        EXPECT_EQ(contents("whole"), bytes);
    }
}

TEST_F(FilePieces, may_be_compressed_one_by_one)
{
    const std::vector<u8> bytes = content();
    std::vector<u8> packed = gzipped(bytes);
    const std::vector<u8> more = gzipped(noise(5000, 3));
    packed.insert(packed.end(), more.begin(), more.end());
    EXPECT_EQ(failure(split(packed, 70'000, FilePacking::gzip)), "");
    EXPECT_EQ(contents("whole").size(), bytes.size() + 5000);
}

TEST_F(FilePieces, whose_unpacked_length_fills_the_buffer_are_whole)
{
    for (const u64 length : {u64(1) << 20, (u64(1) << 20) - 1, u64(2) << 20, u64(0)}) {
        const std::vector<u8> bytes = noise(length, 4);
        EXPECT_EQ(failure(split(gzipped(bytes), 1 << 24, FilePacking::gzip)), "") << length;
        EXPECT_EQ(contents("whole"), bytes);
    }
}

TEST_F(FilePieces, that_are_damaged_or_cut_short_are_told)
{
    const std::vector<u8> packed = gzipped(content());
    std::vector<u8> cut(packed.begin(), packed.end() - 5), changed = packed, trailed = packed;
    changed[changed.size() / 2] ^= 0x10;
    trailed.push_back('x');
    EXPECT_NE(failure(split(cut, 1 << 24, FilePacking::gzip)).find("cut short"), std::string::npos);
    EXPECT_NE(failure(split(changed, 1 << 24, FilePacking::gzip)).find("damaged"), std::string::npos);
    EXPECT_NE(failure(split(trailed, 1 << 24, FilePacking::gzip)), "");
    EXPECT_NE(failure(split(noise(1000, 1), 100, FilePacking::gzip)), "");
    EXPECT_NE(failure({.packing = FilePacking::gzip}), "");
    PiecedFile shorter = split(packed, 1 << 24, FilePacking::none);
    ++shorter.pieces[0].size;
    EXPECT_NE(failure(shorter).find("cut short"), std::string::npos);
    std::filesystem::remove(path("piece0"));
    EXPECT_NE(failure(shorter), "");
}

TEST_F(FilePieces, that_unpack_to_far_too_much_are_stopped)
{
    PiecedFile file = split(gzipped(std::vector<u8>(50 << 20)), 1 << 24, FilePacking::gzip);
    file.most = 5 << 20;
    EXPECT_NE(failure(file).find("far more"), std::string::npos);
    file.most = 50 << 20;
    EXPECT_EQ(failure(file), "");
    // What is zero takes no room.
    struct stat status { };
    ASSERT_EQ(::stat(path("whole").c_str(), &status), 0);
    EXPECT_EQ(status.st_size, 50 << 20);
    EXPECT_LT(status.st_blocks, 100);
}

TEST_F(FilePieces, are_shown_to_an_observer_who_can_refuse_them)
{
    struct Observer final : PieceObserver {
        void bytes(std::span<const u8> part) override { now += part.size(); }
        Result<void> end_of_piece(std::size_t number) override
        {
            sizes.push_back(now);
            now = 0;
            return number == 2 ? Result<void>{Error{"no", "", ""}} : Result<void>{};
        }
        u64 now = 0;
        std::vector<u64> sizes;
    } observer;
    const PiecedFile file = split(noise(3'500'000, 1), 1'500'000, FilePacking::none);
    EXPECT_FALSE(copy_pieces(file, "", &observer));
    EXPECT_EQ(observer.sizes, (std::vector<u64>{1'500'000, 1'500'000, 500'000}));
}

}
