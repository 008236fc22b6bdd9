#pragma once
// What tests of disk images share: a folder of their own, requests that are waited for, and qemu-img beside us.

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <optional>
#include <random>

#include "engine/block/open_image.h"

// Skips the test where the package qemu-utils is not installed.
#define NEEDS_QEMU_IMG()                                                                                                         \
    if (std::system("qemu-img --version >/dev/null 2>&1") != 0)                                                                  \
    GTEST_SKIP() << "qemu-img (package qemu-utils) is not installed"

class DiskTest : public testing::Test {
protected:
    DiskTest()
    {
        // In memory where possible: nothing here depends on the disk.
        std::string pattern = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
        pattern += "/paddock-disk-XXXXXX";
        folder_ = mkdtemp(pattern.data());
    }
    ~DiskTest() override { std::filesystem::remove_all(folder_); }

    std::string path(const std::string& name) const { return (folder_ / name).string(); }

    // Runs a shell command in the folder; what it says.
    int run(const std::string& command) const
    {
        return std::system(("cd '" + folder_.string() + "' && { " + command + "; } >said 2>&1").c_str());
    }
    std::string said() const
    {
        std::ifstream file(path("said"));
        return {std::istreambuf_iterator<char>(file), {}};
    }

    static engine::BlockResult wait(engine::BlockDevice& device, engine::BlockRequest request, engine::CancelToken token = {})
    {
        std::mutex mutex;
        std::condition_variable there;
        std::optional<engine::BlockResult> result;
        device.submit(std::move(request), token, [&](engine::BlockResult r) {
            const std::lock_guard lock(mutex);
            result = std::move(r);
            there.notify_all();
        });
        std::unique_lock lock(mutex);
        there.wait(lock, [&] { return result.has_value(); });
        return *result;
    }
    static engine::BlockResult write(engine::BlockDevice& device, engine::u64 offset, std::vector<engine::u8>& bytes)
    {
        return wait(
            device, {.operation = engine::BlockOperation::write, .offset = offset, .length = bytes.size(), .segments = {bytes}});
    }
    static engine::BlockResult flush(engine::BlockDevice& device)
    {
        return wait(device, {.operation = engine::BlockOperation::flush});
    }
    static std::vector<engine::u8> read(engine::BlockDevice& device, engine::u64 offset, engine::u64 length)
    {
        std::vector<engine::u8> bytes(length, 0xee);
        const auto result
            = wait(device, {.operation = engine::BlockOperation::read, .offset = offset, .length = length, .segments = {bytes}});
        EXPECT_TRUE(result.ok()) << result.error.text();
        return bytes;
    }
    static std::vector<engine::u8> noise(std::size_t length, unsigned seed)
    {
        std::mt19937_64 random(seed);
        std::vector<engine::u8> bytes(length);
        for (auto& byte : bytes)
            byte = engine::u8(random());
        return bytes;
    }
    // Writes `bytes`, or zeroes or discards as many, from a sector on.
    static engine::BlockResult
    change(engine::ImageLayer& layer, engine::BlockOperation operation, engine::u64 sector, std::vector<engine::u8>& bytes)
    {
        engine::BlockRequest request{.operation = operation, .offset = sector * 512, .length = bytes.size()};
        if (operation == engine::BlockOperation::write)
            request.segments = {bytes};
        return layer.execute(request);
    }
    std::vector<engine::u8> contents(const std::string& name) const
    {
        std::ifstream file(path(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void put(const std::string& name, const std::vector<engine::u8>& bytes) const
    {
        std::ofstream(path(name), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
    }

    std::unique_ptr<engine::DiskImage>
    open(const std::string& name, engine::ImageAccess access = engine::ImageAccess::read_write, engine::OpenOptions options = {})
    {
        auto image = engine::open_image(path(name), access, workers_, options);
        EXPECT_TRUE(image) << image.error().text();
        return image ? std::move(*image) : nullptr;
    }
    std::string refusal(const std::string& name, engine::OpenOptions options = {})
    {
        const auto image = engine::open_image(path(name), engine::ImageAccess::read_write, workers_, options);
        return image ? "" : image.error().text();
    }

    engine::WorkerPool workers_{4};
    std::filesystem::path folder_;
};
