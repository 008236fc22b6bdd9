#include "engine/block/disk_tool.h"

#include <algorithm>
#include <bit>
#include <ctime>

#include "engine/base/text.h"
#include "engine/block/disk_copy.h"
#include "engine/block/new_file.h"
#include "engine/block/open_image.h"
#include "engine/block/qcow2/check.h"
#include "engine/block/qcow2/create.h"
#include "engine/block/qcow2/image.h"
#include "engine/block/raw/raw_file.h"

namespace engine {

namespace {

Result<ImageFormat> format_from(const std::string& name, const std::string& path)
{
    if (name.empty())
        return format_of_path(path);
    if (const auto format = format_named(name))
        return *format;
    return Error{in_quotes(name) + " is no format of disk images", "", "Choose raw, qcow2, vmdk, vdi, vhd or vhdx"};
}

Result<OpenOptions> options_of(const DiskSource& disk)
{
    OpenOptions options{.trusted_folders = disk.trusted_folders, .snapshot = disk.snapshot};
    if (disk.format.empty())
        return options;
    auto format = format_from(disk.format, disk.path);
    if (!format)
        return format.error();
    options.format = *format;
    return options;
}

Result<std::shared_ptr<ImageLayer>> open_source(const DiskSource& disk, ImageAccess access)
{
    auto options = options_of(disk);
    if (!options)
        return options.error();
    return open_layer(disk.path, access, *options);
}

Error cannot_write(const std::string& format)
{
    return {
        text("Images of the format ", format.empty() ? "that the name stands for" : format, " can only be read"), "",
        "Choose qcow2 or raw"};
}

Result<void> create_qcow2(const NewDisk& disk, u64 size, ImageFormat below_format)
{
    auto file = NewFile::create(disk.path);
    if (!file)
        return file.error();
    if (!std::has_single_bit(disk.cluster_size))
        return Error{
            "The disk image " + in_quotes(disk.path) + " can't be created", "clusters have 512 bytes to 2 MiB",
            "Choose a power of two between"};
    qcow2::NewImage image{
        .size = size, .cluster_bits = u32(std::countr_zero(disk.cluster_size)), .lazy_refcounts = disk.lazy_refcounts};
    if (!disk.below.empty()) {
        image.backing_file = path_from(disk.path, disk.below);
        image.backing_format = format_name(below_format);
    }
    if (auto written = qcow2::write_new_image(file->file(), image, disk.path); !written)
        return written;
    if (disk.preallocate) {
        auto header = qcow2::read_header(file->file(), disk.path);
        auto opened = header ? qcow2::Image::open(disk.path, file->another(), *header, {}) : header.error();
        if (!opened)
            return opened.error();
        if (auto filled = opened.value()->preallocate(); !filled)
            return filled;
    }
    return file->keep();
}

template <class Action> Result<void> with_qcow2(const DiskSource& disk, Action action)
{
    auto layer = open_source(disk, ImageAccess::read_write);
    if (!layer)
        return layer.error();
    if (const auto image = std::dynamic_pointer_cast<qcow2::Image>(*layer))
        return action(*image);
    return Error{
        "The image " + in_quotes(disk.path) + " can't hold snapshots", text("it is of the format ", (*layer)->format()),
        "Convert it to qcow2 with “paddock disk convert”"};
}

DiskCheck from_report(const qcow2::CheckReport& r)
{
    return {r.leaks,      r.corruptions, r.repaired_leaks, r.repaired_corruptions, r.findings, r.clusters, r.allocated,
            r.compressed, r.end};
}

}

Result<void> create_disk(const NewDisk& disk)
{
    const auto format = format_from(disk.format, disk.path);
    if (!format)
        return format.error();
    if (format.value() == ImageFormat::raw && disk.below.empty())
        return create_raw(disk.path, disk.size);
    if (format.value() != ImageFormat::qcow2)
        return cannot_write(disk.below.empty() ? disk.format : "raw over another image");
    if (disk.below.empty())
        return create_qcow2(disk, disk.size, ImageFormat::qcow2);
    auto below_format = disk.below_format.empty() ? probe_format(disk.below) : format_from(disk.below_format, disk.below);
    if (!below_format)
        return below_format.error();
    auto info = disk_info({.path = disk.below, .format = std::string(format_name(*below_format))});
    if (!info)
        return info.error();
    return create_qcow2(disk, disk.size ? disk.size : info->size, *below_format);
}

Result<std::string> probe_disk_format(const std::string& path)
{
    const auto format = probe_format(path);
    if (!format)
        return format.error();
    return std::string(format_name(format.value()));
}

Result<DiskInfo> disk_info(const DiskSource& disk)
{
    auto format = disk.format.empty() ? probe_format(disk.path) : format_from(disk.format, disk.path);
    if (!format)
        return format.error();
    auto file = peek_image_file(disk.path);
    if (!file)
        return file.error();
    DiskInfo info{.path = disk.path, .format = std::string(format_name(*format)), .bytes_on_disk = (*file)->bytes_on_disk()};
    if (*format != ImageFormat::qcow2) {
        auto layer = open_layer(disk.path, ImageAccess::read_only, {.format = *format, .trusted_folders = disk.trusted_folders});
        if (!layer && *format != ImageFormat::raw)
            return layer.error();
        // A raw image tells its size while it is in use as well.
        info.size = layer ? (*layer)->size() : (*file)->size();
        return info;
    }
    const auto header = qcow2::read_header(**file, disk.path);
    if (!header)
        return header.error();
    const qcow2::Header& h = header.value();
    info.size = h.size;
    info.version = h.version;
    info.cluster_size = h.cluster_size();
    info.compression = h.compression == qcow2::Compression::zlib ? "zlib" : "zstd";
    info.below = h.backing_file;
    info.below_format = h.backing_format;
    info.lazy_refcounts = h.compatible_features & qcow2::compatible_lazy_refcounts;
    info.dirty = h.dirty();
    info.corrupt = h.corrupt();
    if (const auto snapshots = qcow2::read_snapshots(**file, h, disk.path))
        for (const qcow2::Snapshot& s : snapshots.value())
            info.snapshots.push_back({s.id, s.name, s.disk_size, s.vm_state_size, s.date_seconds});
    return info;
}

Result<DiskCheck> check_disk(const DiskSource& disk, bool repair, const DiskProgress& progress)
{
    auto format = disk.format.empty() ? probe_format(disk.path) : format_from(disk.format, disk.path);
    if (!format)
        return format.error();
    if (*format != ImageFormat::qcow2)
        return Error{
            "The image " + in_quotes(disk.path) + " can't be checked",
            text("the format ", format_name(*format), " holds nothing that could contradict itself, or is only read here"), ""};
    auto file = open_image_file(disk.path, repair ? ImageAccess::read_write : ImageAccess::read_only);
    if (!file)
        return file.error();
    auto header = qcow2::read_header(**file, disk.path);
    if (!header)
        return header.error();
    const auto report
        = repair ? qcow2::repair(**file, *header, disk.path, progress) : qcow2::check(**file, *header, disk.path, progress);
    if (!report)
        return report.error();
    return from_report(report.value());
}

Result<void> convert_disk(const Conversion& conversion, const DiskProgress& progress)
{
    const auto format = format_from(conversion.to_format, conversion.to);
    if (!format)
        return format.error();
    if (format.value() != ImageFormat::raw && format.value() != ImageFormat::qcow2)
        return cannot_write(conversion.to_format);
    auto source = open_source(conversion.from, ImageAccess::read_only);
    if (!source)
        return source.error();
    auto file = NewFile::create(conversion.to);
    if (!file)
        return file.error();
    auto target = format.value() == ImageFormat::raw ? CopyTarget::raw(*file, conversion.to, (*source)->size())
                                                     : CopyTarget::qcow2(*file, conversion.to, {.size = (*source)->size()}, {});
    if (!target)
        return target.error();
    if (auto copied = copy_disk(**source, *target, {.compress = conversion.compress}, progress); !copied)
        return copied;
    return file->keep();
}

Result<u64> compact_disk(const DiskSource& disk, const DiskProgress& progress)
{
    auto source = open_source(disk, ImageAccess::read_write);
    if (!source)
        return source.error();
    const auto image = std::dynamic_pointer_cast<qcow2::Image>(*source);
    if (!image && (*source)->format() != "raw")
        return cannot_write(std::string((*source)->format()));
    if (image && !image->snapshots().empty())
        return Error{
            "The image " + in_quotes(disk.path) + " can't be compacted", "there are snapshots inside",
            "Delete them first with “paddock disk snapshot”, or convert the image"};
    const u64 before = peek_image_file(disk.path).value()->bytes_on_disk();
    auto file = NewFile::create_to_replace(disk.path);
    if (!file)
        return file.error();
    qcow2::NewImage same;
    if (image) {
        const qcow2::Header& h = image->header();
        same = {h.size,        h.version,      h.cluster_bits,  h.refcount_order, bool(h.compatible_features & 1),
                h.compression, h.backing_file, h.backing_format};
    }
    auto target = image ? CopyTarget::qcow2(*file, disk.path, same, image->backing())
                        : CopyTarget::raw(*file, disk.path, (*source)->size());
    if (!target)
        return target.error();
    if (auto copied = copy_disk(**source, *target, {.layers = 1}, progress); !copied)
        return copied.error();
    const u64 after = file->file().bytes_on_disk();
    // Compacting what is compact already may cost a little.
    if (after >= before)
        return u64(0);
    if (auto replaced = file->replace(); !replaced)
        return replaced.error();
    return before - after;
}

Result<void> resize_disk(const DiskSource& disk, u64 size, Shrinking shrinking)
{
    auto layer = open_source(disk, ImageAccess::read_write);
    if (!layer)
        return layer.error();
    const std::string what = "The disk in " + in_quotes(disk.path) + " can't be resized";
    if (size < (*layer)->size() && shrinking == Shrinking::refused)
        return Error{
            what, text("it would shrink from ", (*layer)->size(), " to ", size, " bytes and lose what lies at its end"),
            "Make the guest's file system smaller first, then say that it may shrink"};
    if (const auto image = std::dynamic_pointer_cast<qcow2::Image>(*layer))
        return image->resize(size);
    if (const auto raw = std::dynamic_pointer_cast<RawFile>(*layer))
        return raw->resize(size);
    return cannot_write(std::string((*layer)->format()));
}

Result<void> take_disk_snapshot(const DiskSource& disk, const std::string& name)
{
    return with_qcow2(disk, [&](qcow2::Image& image) { return image.take_snapshot(name, u32(std::time(nullptr))); });
}

Result<void> restore_disk_snapshot(const DiskSource& disk, const std::string& which)
{
    return with_qcow2(disk, [&](qcow2::Image& image) { return image.restore_snapshot(which); });
}

Result<void> delete_disk_snapshot(const DiskSource& disk, const std::string& which)
{
    return with_qcow2(disk, [&](qcow2::Image& image) { return image.delete_snapshot(which); });
}

}
