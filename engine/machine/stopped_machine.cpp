// Snapshots of machines that don't run, and machines made from snapshots.
//
// Not done: clones that share what they were made from. Nothing of a PC as it is here has to differ between two of them: it
// has no network card, and no generation id.

#include <ctime>
#include <filesystem>
#include <set>

#include <fcntl.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/machine/snapshot_disks.h"
#include "engine/snapshot/container.h"

namespace engine {

namespace {

Error cannot_copy(const std::string& from)
{
    return {text(from, " can't be copied"), system_error_text(errno), "Look at the free space of the disk"};
}

// The bytes of a range, where the host's file system can without moving them.
Result<void> copy_range(int from, int to, u64 begin, u64 end, const std::string& name)
{
    off_t in = off_t(begin), out = off_t(begin);
    while (u64(in) < end) {
        const ssize_t count = ::copy_file_range(from, &in, to, &out, end - u64(in), 0);
        if (count < 0)
            return cannot_copy(name);
        if (count == 0)
            return {};
    }
    return {};
}

// Holes stay holes.
Result<void> copy_file(const std::string& from, const std::string& to)
{
    const FileDescriptor source{::open(from.c_str(), O_RDONLY | O_CLOEXEC)};
    const FileDescriptor target{::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    const off_t size = source.valid() ? ::lseek(source.get(), 0, SEEK_END) : -1;
    if (size < 0 || !target.valid() || ::ftruncate(target.get(), size) != 0)
        return cannot_copy(from);
    for (off_t data = 0; (data = ::lseek(source.get(), data, SEEK_DATA)) >= 0 && data < size;) {
        const off_t hole = ::lseek(source.get(), data, SEEK_HOLE);
        if (auto copied = copy_range(source.get(), target.get(), u64(data), u64(hole < 0 ? size : hole), from); !copied)
            return copied;
        if (hole < 0)
            break;
        data = hole;
    }
    return ::fdatasync(target.get()) == 0 ? Result<void>() : cannot_copy(from);
}

// Of each segment what the snapshot needs, at the same places.
Result<void>
copy_pages(const SnapshotContent& content, PageStore& store, const SnapshotDirectory& from, const SnapshotDirectory& to)
{
    std::map<u32, std::set<PageRef>> chunks;
    if (content.pages)
        for (const auto& [name, table] : *content.pages)
            for (const PageRef ref : table)
                if (ref)
                    chunks[segment_of(ref)].insert(chunk_of(ref));
    for (const auto& [segment, needed] : chunks) {
        const std::string name = store.segment_id(segment) + ".pages";
        const FileDescriptor source{::open(from.file(name).c_str(), O_RDONLY | O_CLOEXEC)};
        const FileDescriptor target{::open(to.file(name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
        if (!source.valid() || !target.valid())
            return cannot_copy(from.file(name));
        if (auto header = copy_range(source.get(), target.get(), 0, 48, name); !header)
            return header;
        for (const PageRef chunk : needed)
            if (auto copied
                = copy_range(source.get(), target.get(), offset_of(chunk), offset_of(chunk) + store.chunk_length(chunk), name);
                !copied)
                return copied;
        if (::fdatasync(target.get()) != 0)
            return cannot_copy(from.file(name));
    }
    return {};
}

}

Result<SnapshotInfo> take_snapshot_of_stopped(const MachineDefinition& definition, const SnapshotRequest& request)
{
    const SnapshotDirectory directory(definition.snapshots);
    if (auto made = directory.make(); !made)
        return made.error();
    const auto lock = directory.lock(SnapshotDirectory::Use::shared);
    if (!lock)
        return lock.error();
    auto present = directory.present();
    if (!present)
        return present.error();
    SnapshotDisks disks(directory, definition);
    if (!present->disks.empty() && !disks.stand_on(present->disks))
        return Error{"The machine's disks are not those of its snapshots", "", "Give it back the disks that it had"};
    const MachineDefinition now = disks.apply(definition);
    SnapshotContent content;
    content.disks = disks.layers();
    for (std::size_t n = 0; n < content.disks.size(); ++n) {
        const auto layer = open_layer(
            now.disks[n], ImageAccess::read_only,
            {.format = format_named(now.disk_formats[n]).value_or(ImageFormat::by_name), .trusted_folders = now.image_folders});
        if (!layer)
            return layer.error();
        content.disks[n].size = layer.value()->size();
    }
    SnapshotInfo& info = content.info;
    info.id = SnapshotDirectory::new_id();
    info.parent = present->snapshot;
    info.name = request.name;
    info.note = request.note;
    info.kind = request.kind;
    info.with_memory = false;
    info.memory_bytes = definition.memory_mib << 20;
    info.taken_at = u64(std::time(nullptr)) * 1000;
    auto layers = disks.make_layers(content.disks, info.id);
    if (!layers)
        return layers.error();
    PageStore store(directory.path());
    if (auto written = directory.write(info.id + ".snapshot", pack_snapshot(content, store)); !written)
        return written.error();
    present->snapshot = info.id;
    present->disks = std::move(*layers);
    if (auto moved = directory.set_present(*present); !moved)
        return moved.error();
    return info;
}

Result<MachineDefinition>
clone_from_snapshot(const MachineDefinition& definition, const std::string& id, const std::string& folder)
{
    const SnapshotDirectory from(definition.snapshots), to(folder + "/snapshots");
    const auto lock = from.lock(SnapshotDirectory::Use::shared);
    if (!lock)
        return lock.error();
    PageStore store(from.path());
    const auto content = from.snapshot(id, store);
    if (!content)
        return content.error();
    if (auto made = to.make(); !made)
        return made.error();
    if (auto copied = copy_pages(content.value(), store, from, to); !copied)
        return copied.error();
    MachineDefinition clone = definition;
    clone.snapshots = to.path();
    clone.start_from.clear();
    for (std::size_t n = 0; n < content.value().disks.size(); ++n) {
        const DiskLayers& disk = content.value().disks[n];
        if (!disk.image.starts_with("../") || n >= clone.disks.size())
            return Error{
                "The machine can't be cloned", text("Its disk ", disk.image, " lies outside its folder"),
                "Move the image into the machine's folder first"};
        clone.disks[n] = (std::filesystem::path(to.path()) / disk.image).lexically_normal();
        if (auto copied = copy_file(from.file(disk.image), clone.disks[n]); !copied)
            return copied.error();
        for (const std::string& layer : disk.layers)
            if (auto copied = copy_file(from.file(layer), to.file(layer)); !copied)
                return copied.error();
    }
    const auto bytes = from.read(id + ".snapshot", largest_container);
    if (!bytes)
        return bytes.error();
    if (auto written = to.write(id + ".snapshot", bytes.value()); !written)
        return written.error();
    SnapshotDisks disks(to, clone);
    auto layers = disks.make_layers(content.value().disks, SnapshotDirectory::new_id());
    if (!layers)
        return layers.error();
    const Present present{
        .snapshot = id, .saved_state = content.value().info.with_memory ? id : "", .running = false, .disks = std::move(*layers)};
    if (auto written = to.set_present(present); !written)
        return written.error();
    return clone;
}

}
