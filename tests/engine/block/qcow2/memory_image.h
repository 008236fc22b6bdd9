#pragma once
// What tests of qcow2 images in memory share: opening and judging them, and what a power failure may leave of one.

#include <gtest/gtest.h>

#include "tests/engine/block/memory_file.h"

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/block/qcow2/check.h"
#include "engine/block/qcow2/create.h"
#include "engine/block/qcow2/image.h"

inline std::shared_ptr<engine::qcow2::Image> open_in_memory(const std::shared_ptr<MemoryFile>& file)
{
    auto header = engine::qcow2::read_header(*file, "memory");
    EXPECT_TRUE(header) << header.error().text();
    auto image = engine::qcow2::Image::open("memory", std::make_unique<SharedFile>(file), *header, {});
    EXPECT_TRUE(image) << image.error().text();
    return image ? *image : nullptr;
}

inline std::vector<engine::u8> new_image(const engine::qcow2::NewImage& image)
{
    MemoryFile file;
    EXPECT_TRUE(engine::qcow2::write_new_image(file, image, "memory"));
    return file.bytes();
}

inline engine::qcow2::CheckReport check_bytes(std::vector<engine::u8> bytes)
{
    MemoryFile file(std::move(bytes));
    auto header = engine::qcow2::read_header(file, "memory");
    EXPECT_TRUE(header) << header.error().text();
    const auto report
        = header ? engine::qcow2::check(file, *header, "memory") : engine::Result<engine::qcow2::CheckReport>(header.error());
    EXPECT_TRUE(report) << report.error().text();
    return report ? report.value() : engine::qcow2::CheckReport{.corruptions = 1};
}

inline std::string findings(const engine::qcow2::CheckReport& report)
{
    std::string all = engine::text(report.corruptions, " corruptions, ", report.leaks, " leaks");
    for (const std::string& finding : report.findings)
        all += "\n" + finding;
    return all;
}

// What may be left of the file when the power fails after `events` events: all up to the last flush, and of what came after
// any sectors.
inline std::vector<engine::u8> after_power_failure(
    const std::vector<engine::u8>& start, const std::vector<MemoryFile::Event>& log, engine::u64 events, std::mt19937_64& random)
{
    engine::u64 flushed = 0;
    for (engine::u64 n = 0; n < events; ++n)
        if (log[n].call == MemoryFile::Call::flush)
            flushed = n;
    std::vector<engine::u8> bytes = start;
    const auto chance = random() % 4;    // all of it, most, half, little
    for (engine::u64 n = 0; n < events; ++n) {
        if (n < flushed || log[n].call == MemoryFile::Call::resize || chance == 0) {
            MemoryFile::apply(bytes, log[n]);
            continue;
        }
        const engine::u64 length = log[n].call == MemoryFile::Call::punch ? log[n].length : log[n].bytes.size();
        for (engine::u64 at = 0; at < length; at += 512) {
            if (random() % 4 < chance)
                continue;
            MemoryFile::Event part = log[n];
            part.offset += at;
            part.length = std::min<engine::u64>(512, length - at);
            if (part.call == MemoryFile::Call::write)
                part.bytes = {log[n].bytes.begin() + std::ptrdiff_t(at), log[n].bytes.begin() + std::ptrdiff_t(at + part.length)};
            MemoryFile::apply(bytes, part);
        }
    }
    return bytes;
}

inline std::vector<engine::u64> stamps_of(engine::ImageLayer& disk)
{
    std::vector<engine::u8> bytes(disk.size());
    EXPECT_TRUE(
        disk.execute({.operation = engine::BlockOperation::read, .offset = 0, .length = bytes.size(), .segments = {bytes}}).ok());
    std::vector<engine::u64> stamps;
    for (std::size_t n = 0; n < bytes.size(); n += 512)
        stamps.push_back(engine::load_le<engine::u64>(&bytes[n]));
    return stamps;
}
