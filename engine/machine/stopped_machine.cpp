// Snapshots of machines that don't run, and machines made from snapshots.
//
// Nothing of a PC as it is here has to differ between a machine and its clone: it has no network card, no generation id, and
// no UUID of its own.

#include <filesystem>
#include <set>

#include <fcntl.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/machine/firmware/variable_store.h"
#include "engine/machine/new_snapshot.h"
#include "engine/machine/snapshot_disks.h"
#include "engine/snapshot/container.h"
#include "engine/snapshot/disk_layers.h"

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

// Where the clone's disk lies, and what its snapshot says of it.
struct ClonedDisk {
    std::string path, format;
    DiskLayers layers;
};

Result<void> copy_disk(const DiskLayers& disk, const SnapshotDirectory& from, const SnapshotDirectory& to, ClonedDisk& clone)
{
    clone.path = (std::filesystem::path(to.path()) / disk.image).lexically_normal();
    clone.layers = disk;
    clone.layers.layers = LayerChains(from).chain(disk);
    if (auto copied = copy_file(from.file(disk.image), clone.path); !copied)
        return copied;
    for (const std::string& layer : clone.layers.layers)
        if (auto copied = copy_file(from.file(layer), to.file(layer)); !copied)
            return copied;
    return {};
}

// The snapshot's, and of one from before there were any its machine's present ones.
Result<void> give_variables(const MachineDefinition& definition, const SnapshotContent& content, const std::string& to)
{
    const auto variables = variables_in(content);
    if (!variables)
        return ::access(definition.firmware_variables.c_str(), F_OK) == 0 ? copy_file(definition.firmware_variables, to)
                                                                          : Result<void>();
    const auto file = VariableFile::open(to, *variables);
    return file ? Result<void>() : file.error();
}

Result<void> link_disk(const DiskLayers& disk, const SnapshotDirectory& from, const std::string& name, ClonedDisk& clone)
{
    const bool bare = disk.layers.empty();
    const std::filesystem::path below = from.file(bare ? disk.image : disk.layers.back());
    const ImageFormat format = !bare ? ImageFormat::qcow2
        : clone.format.empty()       ? format_of_path(below)
                                     : format_named(clone.format).value_or(ImageFormat::raw);
    clone.layers = {.image = "../" + name, .layers = {}, .size = disk.size};
    clone.format = format_name(ImageFormat::qcow2);
    return create_overlay(clone.path, below.lexically_normal(), format, disk.size);
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
        const auto size
            = size_of_image(now.disks[n], {.format = format_named(now.disk_formats[n]).value_or(ImageFormat::by_name)});
        if (!size)
            return size.error();
        content.disks[n].size = size.value();
    }
    save_variables(definition.firmware_variables, content);
    const SnapshotInfo& info = content.info = new_snapshot_of_disks(request, present->snapshot, definition);
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

bool has_links(const std::string& snapshots)
{
    return !SnapshotDirectory(snapshots).names(linked_suffix).empty();
}

void forget_links(const std::string& snapshots)
{
    const SnapshotDirectory directory(snapshots);
    for (const std::string& id : directory.names(linked_suffix))
        directory.remove(id + linked_suffix);
}

Result<MachineDefinition>
clone_from_snapshot(const MachineDefinition& definition, const std::string& id, const std::string& folder, CloneKind kind)
{
    const SnapshotDirectory from(definition.snapshots), to(folder + "/snapshots");
    const auto lock = from.lock(SnapshotDirectory::Use::shared);
    if (!lock)
        return lock.error();
    PageStore store(from.path());
    auto content = from.snapshot(id, store);
    if (!content)
        return content.error();
    if (auto made = to.make(); !made)
        return made.error();
    if (auto copied = copy_pages(content.value(), store, from, to); !copied)
        return copied.error();
    MachineDefinition clone = definition;
    if (!definition.firmware_variables.empty()) {
        clone.firmware_variables = folder + "/" + std::filesystem::path(definition.firmware_variables).filename().string();
        if (auto given = give_variables(definition, content.value(), clone.firmware_variables); !given)
            return given.error();
    }
    clone.snapshots = to.path();
    clone.start_from.clear();
    clone.disk_formats.resize(clone.disks.size());
    const Present link{.snapshot = id, .saved_state = {}, .running = false, .disks = content->disks};
    for (std::size_t n = 0; n < content->disks.size(); ++n) {
        DiskLayers& disk = content->disks[n];
        if (!disk.image.starts_with("../") || n >= clone.disks.size())
            return Error{
                "The machine can't be cloned", text("Its disk ", disk.image, " lies outside its folder"),
                "Move the image into the machine's folder first"};
        const std::string name = n == 0 ? "disk.qcow2" : text("disk-", n, ".qcow2");
        ClonedDisk cloned{.path = text(folder, "/", name), .format = clone.disk_formats[n], .layers = {}};
        if (auto made = kind == CloneKind::linked ? link_disk(disk, from, name, cloned) : copy_disk(disk, from, to, cloned);
            !made)
            return made.error();
        clone.disks[n] = cloned.path;
        clone.disk_formats[n] = cloned.format;
        disk = cloned.layers;
    }
    if (auto written = to.write(id + ".snapshot", pack_snapshot(content.value(), store)); !written)
        return written.error();
    SnapshotDisks disks(to, clone);
    auto layers = disks.make_layers(content->disks, SnapshotDirectory::new_id());
    if (!layers)
        return layers.error();
    const Present present{
        .snapshot = id, .saved_state = content->info.with_memory ? id : "", .running = false, .disks = std::move(*layers)};
    if (auto written = to.set_present(present); !written)
        return written.error();
    if (kind == CloneKind::linked)
        if (auto kept = from.write(SnapshotDirectory::new_id() + linked_suffix, pack_present(link)); !kept)
            return kept.error();
    return clone;
}

}
