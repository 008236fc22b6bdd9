#pragma once
// Opening images of any format with the images below them, and making overlays.
//
// What format an image has is never guessed from content that a guest can write: whoever attaches an image records its format
// once (probe_format), and gives it from then on. Without a record the file's name decides; a file that is named as a raw
// disk and begins like another format is refused with words that say how to name it. A backing file's format must stand in
// the header that names it.
//
// A backing file is opened only where it lies in the folder of the image that names it, below that, or in one of the folders
// that the caller trusts: an image from elsewhere must not show a guest the host's files. Names such as "json:…" or "nbd:…"
// are refused.

#include <optional>
#include <string>
#include <vector>

#include "engine/block/disk_image.h"
#include "engine/block/image_file.h"

namespace engine {

enum class ImageFormat : u8 { by_name, raw, qcow2, vmdk, vdi, vhd, vhdx };

// "raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx", as backing formats are written; "vhd" is understood too.
std::string_view format_name(ImageFormat format);
std::optional<ImageFormat> format_named(std::string_view name);
ImageFormat format_of_path(const std::string& path);    // by the suffix; raw where it says nothing
// By what the file holds: for the moment in which a person hands over an image, never later.
Result<ImageFormat> probe_format(const std::string& path);

struct OpenOptions {
    ImageFormat format = ImageFormat::by_name;
    std::vector<std::string> trusted_folders{};    // in which, or below which, backing files may lie
    std::string snapshot{};    // an internal snapshot by id or name, to be read
    DiskCache cache = DiskCache::writeback;    // of raw and qcow2 images; the others are read through the cache
};

constexpr unsigned most_layers = 256;    // of one chain

// Waits for the host.
Result<std::shared_ptr<ImageLayer>> open_layer(const std::string& path, ImageAccess access, const OpenOptions& options = {});
Result<std::unique_ptr<DiskImage>>
open_image(const std::string& path, ImageAccess access, WorkerPool& workers, const OpenOptions& options = {});

// Bytes of the disk that an image shows, without a look at those below it. Errors as open_layer has them for the image itself, so
// also where somebody writes to it.
Result<u64> size_of_image(const std::string& path, const OpenOptions& options = {});

// Makes a qcow2 image at `path` that shows what the image `below` shows, and keeps what is written from then on. `size` in bytes
// is that of the disk below. It is complete and durable, or not there at all. The path of `below` is kept relative to the
// overlay's folder, so that both can move together. `below` need not be open, nor closed.
Result<void> create_overlay(const std::string& path, const std::string& below, ImageFormat below_format, u64 size);

// How a file in the folder of `from` names the file `to`.
std::string path_from(const std::string& from, const std::string& to);

// Opens an overlay on a layer that is open already, which must be the one it names.
Result<std::shared_ptr<ImageLayer>> open_overlay(
    const std::string& path, std::shared_ptr<ImageLayer> below, DiskCache cache = DiskCache::writeback,
    ImageAccess access = ImageAccess::read_write);

// Whether two paths mean the same place, whatever lies there.
bool same_place(const std::string& one, const std::string& other);

// What lies over what, topmost first, as the images' headers say it: `path` itself and all below, at most `most` of them. Ends
// early below what can't be read. Nothing is locked, and nothing but headers is read.
std::vector<std::string> images_of_chain(const std::string& path, ImageFormat format, std::size_t most = most_layers + 1);

}
