#include "engine/snapshot/snapshot_file.h"

#include <algorithm>
#include <cstring>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/snapshot/container.h"

namespace engine {

namespace {

constexpr FourCc snapshot_kind = four_cc("SNAP"), present_kind = four_cc("PRES"), label_kind = four_cc("LABL");
constexpr FourCc meta = four_cc("META"), thumbnail = four_cc("THMB"), machine = four_cc("MACH"), device = four_cc("STAT"),
                 segments = four_cc("SEGM"), pages = four_cc("PAGE"), disk = four_cc("DISK");
constexpr std::array known_types{meta, thumbnail, machine, device, segments, pages, disk};

constexpr u32 widest_thumbnail = 256;
constexpr std::size_t longest_name = 200, longest_note = 8000, most_screen_text = 16384, most_disks = 32, most_layers = 4096;

void put(StateMap& fields, const char* name, std::string_view words)
{
    fields.blobs[name].assign(words.begin(), words.end());
}

std::string words(const StateMap& fields, const char* name, std::size_t most)
{
    const auto found = fields.blobs.find(name);
    if (found == fields.blobs.end())
        return {};
    return {found->second.begin(), found->second.begin() + std::min(found->second.size(), most)};
}

u64 number(const StateMap& fields, const char* name)
{
    const auto found = fields.scalars.find(name);
    return found == fields.scalars.end() ? 0 : found->second;
}

StateMap fields_of(const SnapshotInfo& info)
{
    StateMap fields;
    put(fields, "id", info.id);
    put(fields, "parent", info.parent);
    put(fields, "name", std::string_view(info.name).substr(0, longest_name));
    put(fields, "note", std::string_view(info.note).substr(0, longest_note));
    put(fields, "screen_text", std::string_view(info.screen_text).substr(0, most_screen_text));
    fields.scalars["kind"] = u64(info.kind);
    fields.scalars["taken_at"] = info.taken_at;
    fields.scalars["guest_nanoseconds"] = info.guest_nanoseconds;
    fields.scalars["with_memory"] = info.with_memory;
    fields.scalars["memory_bytes"] = info.memory_bytes;
    fields.scalars["own_bytes"] = info.own_bytes;
    return fields;
}

SnapshotInfo info_from(const StateMap& fields)
{
    SnapshotInfo info;
    info.id = words(fields, "id", 16);
    info.parent = words(fields, "parent", 16);
    info.name = words(fields, "name", longest_name);
    info.note = words(fields, "note", longest_note);
    info.screen_text = words(fields, "screen_text", most_screen_text);
    info.kind = SnapshotInfo::Kind(std::min<u64>(number(fields, "kind"), u64(SnapshotInfo::Kind::closing)));
    info.taken_at = number(fields, "taken_at");
    info.guest_nanoseconds = number(fields, "guest_nanoseconds");
    info.with_memory = number(fields, "with_memory");
    info.memory_bytes = number(fields, "memory_bytes");
    info.own_bytes = number(fields, "own_bytes");
    return info;
}

std::vector<u8> pack_picture(const Thumbnail& picture)
{
    std::vector<u8> out(8 + picture.pixels.size() * 4);
    store_le<u32>(out.data(), picture.width);
    store_le<u32>(&out[4], picture.height);
    if (!picture.pixels.empty())
        std::memcpy(&out[8], picture.pixels.data(), picture.pixels.size() * 4);
    return out;
}

// A picture that can't be is none.
Thumbnail unpack_picture(std::span<const u8> bytes)
{
    Thumbnail picture;
    if (bytes.size() < 8)
        return picture;
    picture.width = load_le<u32>(bytes.data());
    picture.height = load_le<u32>(&bytes[4]);
    const bool possible = picture.width <= widest_thumbnail && picture.height <= widest_thumbnail
        && bytes.size() == 8 + u64(picture.width) * picture.height * 4;
    if (!possible)
        return {};
    picture.pixels.resize(std::size_t(picture.width) * picture.height);
    if (!picture.pixels.empty())
        std::memcpy(picture.pixels.data(), &bytes[8], picture.pixels.size() * 4);
    return picture;
}

StateMap fields_of(const DiskLayers& layers)
{
    StateMap fields;
    put(fields, "image", layers.image);
    fields.scalars["size"] = layers.size;
    std::string list;
    for (const std::string& layer : layers.layers)
        list += layer + '\n';
    put(fields, "layers", list);
    return fields;
}

// A layer's name comes from a file, and must stay in the directory.
bool is_file_name(const std::string& name)
{
    return !name.empty() && name.size() <= 255 && name.find('/') == std::string::npos && name.find('\0') == std::string::npos
        && name.front() != '.';
}

Result<DiskLayers> layers_from(const Section& section, const std::string& name)
{
    const auto fields = unpack_fields(section.payload, name);
    if (!fields)
        return fields.error();
    DiskLayers layers;
    layers.image = words(fields.value(), "image", 4096);
    layers.size = number(fields.value(), "size");
    const std::string list = words(fields.value(), "layers", most_layers * 256);
    for (std::size_t begin = 0, end; (end = list.find('\n', begin)) != std::string::npos; begin = end + 1) {
        layers.layers.push_back(list.substr(begin, end - begin));
        if (!is_file_name(layers.layers.back()) || layers.layers.size() > most_layers)
            return damaged(name, "It names a layer of a disk that can't be");
    }
    return layers;
}

Result<void> add_disk(std::vector<DiskLayers>& disks, const Section& section, const std::string& name)
{
    auto layers = layers_from(section, name);
    if (!layers)
        return layers.error();
    if (disks.size() >= most_disks || section.instance != std::to_string(disks.size()))
        return damaged(name, "Its disks are out of order");
    disks.push_back(std::move(*layers));
    return {};
}

void add_disks(ContainerWriter& out, const std::vector<DiskLayers>& disks)
{
    for (std::size_t n = 0; n < disks.size(); ++n)
        out.add(disk, std::to_string(n), fields_of(disks[n]));
}

Result<StateMap> meta_of(const Container& container, const std::string& name)
{
    const Section* const section = container.find(meta);
    if (!section)
        return damaged(name, "It does not say what it is");
    return unpack_fields(section->payload, name);
}

}

std::vector<u8> pack_snapshot(const SnapshotContent& content, PageStore& store)
{
    using Need = ContainerWriter::Need;
    using Packing = ContainerWriter::Packing;
    ContainerWriter out(snapshot_kind);
    out.add(meta, {}, fields_of(content.info));
    out.add(thumbnail, {}, pack_picture(content.info.thumbnail), Need::optional, Packing::zstd);
    out.add(machine, {}, content.machine);
    add_disks(out, content.disks);
    for (const auto& [name, state] : content.states)
        out.add(device, name, pack_fields(state), Need::required, Packing::zstd);
    SegmentList list(store);
    std::map<std::string, std::vector<u8>> packed;
    if (content.pages)
        for (const auto& [name, table] : *content.pages)
            packed[name] = pack_pages(table, list);
    out.add(segments, {}, list.pack());
    for (const auto& [name, bytes] : packed)
        out.add(pages, name, bytes, Need::required, Packing::zstd);
    return out.finish();
}

Result<SnapshotContent> unpack_snapshot(std::span<const u8> bytes, PageStore& store, u64 most_pages, const std::string& name)
{
    const auto container = Container::parse(bytes, snapshot_kind, known_types, name);
    if (!container)
        return container.error();
    auto fields = meta_of(container.value(), name);
    if (!fields)
        return fields.error();
    SnapshotContent content;
    content.info = info_from(*fields);
    const Section* const listed = container.value().find(segments);
    auto list = listed ? SegmentList::unpack(listed->payload, store, name) : Result<SegmentList>(SegmentList(store));
    if (!list)
        return list.error();
    PageTables tables;
    for (const Section& section : container.value().sections()) {
        if (section.type == thumbnail)
            content.info.thumbnail = unpack_picture(section.payload);
        if (section.type == machine || section.type == device) {
            auto state = unpack_fields(section.payload, name);
            if (!state)
                return state.error();
            (section.type == machine ? content.machine : content.states[section.instance]) = std::move(*state);
        }
        if (section.type == pages) {
            auto table = unpack_pages(section.payload, *list, most_pages, name);
            if (!table)
                return table.error();
            tables[section.instance] = std::move(*table);
        }
        if (section.type == disk)
            if (auto added = add_disk(content.disks, section, name); !added)
                return added.error();
    }
    if (!tables.empty())
        content.pages = std::make_shared<const PageTables>(std::move(tables));
    return content;
}

Result<std::optional<std::vector<DiskLayers>>> unpack_disks(std::span<const u8> bytes, const std::string& name)
{
    const auto container = Container::parse(bytes, snapshot_kind, known_types, name, Container::Part::front);
    if (!container)
        return container.error();
    std::vector<DiskLayers> disks;
    for (const Section& section : container.value().sections())
        if (section.type == disk)
            if (auto added = add_disk(disks, section, name); !added)
                return added.error();
    // They are written before the segments.
    return container.value().find(segments) ? std::optional(std::move(disks)) : std::nullopt;
}

Result<SnapshotInfo> unpack_info(std::span<const u8> bytes, const std::string& name)
{
    const auto container = Container::parse(bytes, snapshot_kind, known_types, name, Container::Part::front);
    if (!container)
        return container.error();
    auto fields = meta_of(container.value(), name);
    if (!fields)
        return fields.error();
    SnapshotInfo info = info_from(*fields);
    if (const Section* const section = container.value().find(thumbnail))
        info.thumbnail = unpack_picture(section->payload);
    return info;
}

std::vector<u8> pack_present(const Present& present)
{
    ContainerWriter out(present_kind);
    StateMap fields;
    put(fields, "snapshot", present.snapshot);
    put(fields, "saved_state", present.saved_state);
    fields.scalars["running"] = present.running;
    fields.scalars["generation_low"] = present.generation_low;
    fields.scalars["generation_high"] = present.generation_high;
    out.add(meta, {}, fields);
    add_disks(out, present.disks);
    return out.finish();
}

Result<Present> unpack_present(std::span<const u8> bytes, const std::string& name)
{
    const auto container = Container::parse(bytes, present_kind, known_types, name);
    if (!container)
        return container.error();
    auto fields = meta_of(container.value(), name);
    if (!fields)
        return fields.error();
    Present present;
    present.snapshot = words(*fields, "snapshot", 16);
    present.saved_state = words(*fields, "saved_state", 16);
    present.running = number(*fields, "running");
    present.generation_low = number(*fields, "generation_low");
    present.generation_high = number(*fields, "generation_high");
    for (const Section& section : container.value().sections())
        if (section.type == disk)
            if (auto added = add_disk(present.disks, section, name); !added)
                return added.error();
    return present;
}

std::vector<u8> pack_label(const Label& label)
{
    ContainerWriter out(label_kind);
    StateMap fields;
    put(fields, "name", std::string_view(label.name).substr(0, longest_name));
    put(fields, "note", std::string_view(label.note).substr(0, longest_note));
    if (!label.parent.empty())
        put(fields, "parent", label.parent);
    out.add(meta, {}, fields);
    return out.finish();
}

Result<Label> unpack_label(std::span<const u8> bytes, const std::string& name)
{
    const auto container = Container::parse(bytes, label_kind, known_types, name);
    if (!container)
        return container.error();
    auto fields = meta_of(container.value(), name);
    if (!fields)
        return fields.error();
    return Label{
        words(*fields, "name", longest_name), words(*fields, "note", longest_note), words(*fields, "parent", longest_name)};
}

}
