#include "engine/block/tar_archive.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include <gtest/gtest.h>

namespace engine {

namespace {

struct Bytes : TarSource {
    std::string bytes;
    u64 size() const override { return bytes.size(); }
    bool read(u64 offset, std::span<u8> to) override
    {
        if (offset > bytes.size() || to.size() > bytes.size() - offset)
            return false;
        std::memcpy(to.data(), &bytes[offset], to.size());
        return true;
    }
    Result<std::vector<TarEntry>> entries() { return read_tar(*this, "test.ova"); }
};

struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / ("paddock-tar." + std::to_string(getpid()));
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
};

// As tar makes it of "a.ovf" (5 bytes) and "disk.vmdk" (1000 bytes).
Bytes made_by_tar(const std::string& options)
{
    const Folder folder;
    std::ofstream(folder.path / "a.ovf") << "hello";
    std::ofstream(folder.path / "disk.vmdk") << std::string(1000, 'v');
    const std::string run = "tar -C " + folder.path.string() + " " + options + " -cf " + (folder.path / "t").string()
        + " a.ovf disk.vmdk >/dev/null 2>&1";
    EXPECT_EQ(std::system(run.c_str()), 0);
    std::ostringstream all;
    all << std::ifstream(folder.path / "t", std::ios::binary).rdbuf();
    Bytes bytes;
    bytes.bytes = all.str();
    return bytes;
}

void mend_checksum(std::string& bytes)
{
    bytes.replace(148, 8, 8, ' ');
    unsigned sum = 0;
    for (unsigned n = 0; n < 512; ++n)
        sum += u8(bytes[n]);
    char digits[9];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    bytes.replace(148, 7, digits, 7);
}

TEST(TarArchive, ListsWhatTarPacked)
{
    for (const char* options : {"--format=ustar", "--format=gnu", "--format=posix"}) {
        Bytes archive = made_by_tar(options);
        const auto entries = archive.entries();
        ASSERT_TRUE(entries) << options << entries.error().text();
        ASSERT_EQ(entries.value().size(), 2u);
        EXPECT_EQ(entries.value()[0].name, "a.ovf");
        EXPECT_EQ(archive.bytes.substr(entries.value()[0].offset, entries.value()[0].size), "hello");
        EXPECT_EQ(entries.value()[1].name, "disk.vmdk");
        EXPECT_EQ(archive.bytes.substr(entries.value()[1].offset, entries.value()[1].size), std::string(1000, 'v'));
    }
}

TEST(TarArchive, RefusesSizesThatReachBeyondItsEnd)
{
    Bytes archive = made_by_tar("--format=ustar");
    for (const std::string& size :
         {std::string("77777777777"), std::string("00000100000"), std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
          std::string("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12), std::string("0000000009z")}) {
        archive.bytes.replace(124, size.size(), size);
        mend_checksum(archive.bytes);
        EXPECT_FALSE(archive.entries()) << size;
    }
}

TEST(TarArchive, RefusesDamageInWords)
{
    Bytes archive = made_by_tar("--format=ustar");
    archive.bytes[3] ^= 1;
    const auto damaged = archive.entries();
    ASSERT_FALSE(damaged);
    EXPECT_NE(damaged.error().text().find("test.ova"), std::string::npos);
    archive.bytes.clear();
    EXPECT_FALSE(archive.entries());
    archive.bytes.assign(10240, '\0');
    EXPECT_FALSE(archive.entries());
    EXPECT_FALSE(read_tar("/nowhere/at/all.ova"));
}

TEST(TarArchive, IsReadWhereverItIsCutOff)
{
    const Bytes whole = made_by_tar("--format=posix");
    for (std::size_t length = 0; length < whole.bytes.size(); length += 97) {
        Bytes part;
        part.bytes = whole.bytes.substr(0, length);
        if (const auto entries = part.entries()) {
            for (const TarEntry& entry : entries.value())
                EXPECT_LE(entry.offset + entry.size, length);
        }
    }
}

TEST(TarArchive, RefusesNamesThatItDoesNotUnderstand)
{
    const Folder folder;
    const std::string name(200, 'n');
    std::ofstream(folder.path / name) << "x";
    for (const char* format : {"gnu", "posix"}) {
        const std::string archive = (folder.path / format).string();
        ASSERT_EQ(
            std::system(("tar -C " + folder.path.string() + " --format=" + format + " -cf " + archive + " " + name).c_str()), 0);
        EXPECT_FALSE(read_tar(archive));
    }
}

}

}
