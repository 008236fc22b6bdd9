#pragma once
// The container that snapshots and what belongs to them are written in; FORMAT.md, "Container". What is read is taken for
// hostile: a file is refused in words, or it is what it was when it was written.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/types.h"
#include "engine/state/state_map.h"

namespace engine {

// Four letters as they stand in the file.
using FourCc = u32;
constexpr FourCc four_cc(const char (&letters)[5])
{
    return u32(u8(letters[0])) | u32(u8(letters[1])) << 8 | u32(u8(letters[2])) << 16 | u32(u8(letters[3])) << 24;
}

constexpr u64 largest_container = u64(256) << 20;    // bytes, of a file and of a section unpacked

class ContainerWriter {
public:
    enum class Need : u8 { optional, required };    // whether a reader may pass over the section
    enum class Packing : u8 { none, zstd };

    explicit ContainerWriter(FourCc kind);
    // At most 255 bytes of `instance` count.
    void
    add(FourCc type, std::string_view instance, std::span<const u8> payload, Need need = Need::required,
        Packing packing = Packing::none);
    void add(FourCc type, std::string_view instance, const StateMap& fields, Need need = Need::required);
    std::vector<u8> finish();

private:
    std::vector<u8> bytes_;
    std::vector<u8> checksums_;
    u32 sections_ = 0;
};

struct Section {
    FourCc type = 0;
    u16 version = 0;
    bool required = false;
    std::string instance;
    std::vector<u8> payload;
};

class Container {
public:
    // front: sections as far as they lie whole in `bytes`, which need not be the whole file.
    enum class Part : u8 { whole, front };

    // `name` is what messages call the file. `known` are the types that the reader knows.
    static Result<Container> parse(
        std::span<const u8> bytes, FourCc kind, std::span<const FourCc> known, const std::string& name, Part part = Part::whole);

    const std::vector<Section>& sections() const { return sections_; }
    const Section* find(FourCc type, std::string_view instance = {}) const;

private:
    std::vector<Section> sections_;
};

// Fields; FORMAT.md, "Sections".
std::vector<u8> pack_fields(const StateMap& fields);
Result<StateMap> unpack_fields(std::span<const u8> bytes, const std::string& name);

// The error for a file that is not what it should be.
Error damaged(const std::string& name, std::string why);

}
