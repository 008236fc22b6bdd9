#include "engine/block/open_image.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <sys/stat.h>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/block/new_file.h"
#include "engine/block/qcow2/create.h"
#include "engine/block/qcow2/image.h"
#include "engine/block/raw/raw_file.h"
#include "engine/block/vdi/vdi_image.h"
#include "engine/block/vhd/vhd_image.h"
#include "engine/block/vhdx/vhdx_image.h"
#include "engine/block/vmdk/vmdk_image.h"

namespace engine {

namespace {

namespace fs = std::filesystem;

struct FormatName {
    ImageFormat format;
    std::string_view name, suffix;
};
constexpr std::array names{
    FormatName{ImageFormat::raw, "raw", ".raw"},
    FormatName{ImageFormat::qcow2, "qcow2", ".qcow2"},
    FormatName{ImageFormat::vmdk, "vmdk", ".vmdk"},
    FormatName{ImageFormat::vdi, "vdi", ".vdi"},
    FormatName{ImageFormat::vhd, "vpc", ".vhd"},
    FormatName{ImageFormat::vhdx, "vhdx", ".vhdx"},
    // Other names of the same.
    FormatName{ImageFormat::vhd, "vhd", ".vpc"},
    FormatName{ImageFormat::qcow2, "", ".qcow"},
    FormatName{ImageFormat::raw, "file", ""},
    FormatName{ImageFormat::raw, "host_device", ""},
};

struct Signature {
    ImageFormat format;
    u64 at;
    std::string_view bytes;
};
constexpr std::array signatures{
    Signature{ImageFormat::qcow2, 0, "QFI\xfb"},
    Signature{ImageFormat::vmdk, 0, "KDMV"},
    Signature{ImageFormat::vmdk, 0, "# Disk DescriptorFile"},
    Signature{ImageFormat::vdi, 0x40, "\x7f\x10\xda\xbe"},
    Signature{ImageFormat::vhd, 0, "conectix"},
    Signature{ImageFormat::vhdx, 0, "vhdxfile"},
};

ImageFormat format_of_content(ImageFile& file)
{
    std::array<u8, 512> start{};
    if (file.read(0, start))
        return ImageFormat::raw;
    for (const Signature& signature : signatures)
        if (std::equal(
                signature.bytes.begin(), signature.bytes.end(), start.begin() + std::ptrdiff_t(signature.at),
                [](char wanted, u8 found) { return u8(wanted) == found; }))
            return signature.format;
    return ImageFormat::raw;
}

// The path as the host sees it, without links and dots; what doesn't exist stays as it is.
fs::path real(const fs::path& path)
{
    std::error_code trouble;
    // A path that doesn't exist stays relative unless it is made absolute first.
    const fs::path whole = fs::absolute(path, trouble);
    fs::path found = fs::weakly_canonical(whole, trouble);
    return trouble ? whole.lexically_normal() : found;
}

constexpr unsigned most_attempts = 4;

// 0 where there is no file.
u64 file_number(const std::string& path)
{
    struct stat about { };
    return ::stat(path.c_str(), &about) == 0 ? about.st_ino : 0;
}

bool lies_in(const fs::path& file, const fs::path& folder)
{
    const auto [rest, unused] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
    // A folder's path may end in a slash, which is an empty part.
    return rest == folder.end() || (rest->empty() && std::next(rest) == folder.end());
}

class Opener {
public:
    explicit Opener(const OpenOptions& options) : options_(options) { }

    Result<std::shared_ptr<ImageLayer>> open(const std::string& path, ImageFormat format, ImageAccess access, bool top);
    // The place of the backing file that `header` names, checked.
    Result<fs::path> resolve(const std::string& path, const std::string& backing_file) const;

private:
    Result<std::shared_ptr<ImageLayer>> open_qcow2(const std::string& path, ImageAccess access, bool top);
    Result<std::shared_ptr<ImageLayer>> open_qcow2_once(const std::string& path, ImageAccess access, bool top);
    Result<std::shared_ptr<ImageLayer>> open_below(const std::string& path, const qcow2::Header& header);

    const OpenOptions& options_;
    std::vector<std::string> chain_;    // what is open above
};

Error unusable(const std::string& path, std::string why, std::string what_to_do)
{
    return {"The image " + in_quotes(path) + " can't be used", std::move(why), std::move(what_to_do)};
}

Result<ImageFormat> decide_format(const std::string& path)
{
    const ImageFormat named = format_of_path(path);
    if (named != ImageFormat::raw)
        return named;
    auto probed = probe_format(path);
    if (!probed || *probed == ImageFormat::raw)
        return probed;
    const std::string name(format_name(*probed));
    return unusable(
        path, text("its name stands for a raw disk, but it begins like a ", name, " image"),
        text("Say which it is: give its format (", name, " or raw), or let its name end in .", name == "vpc" ? "vhd" : name));
}

Result<fs::path> Opener::resolve(const std::string& path, const std::string& backing_file) const
{
    const auto colon = backing_file.find(':');
    if (colon != std::string::npos && backing_file.find('/') > colon)
        return unusable(
            path, text("the image below it is named ", in_quotes(backing_file), ", which is no file"),
            "Put it on a file with qemu-img rebase");
    const fs::path folder = real(path).parent_path();
    const fs::path below = real(folder / backing_file);
    bool trusted = lies_in(below, folder);
    for (const std::string& root : options_.trusted_folders)
        trusted |= lies_in(below, real(root));
    if (!trusted)
        return unusable(
            path, text("the image below it is ", in_quotes(below.string()), ", outside of its folder"),
            "Only if you trust this image: move both into one folder, or allow that folder");
    return below;
}

Result<std::shared_ptr<ImageLayer>> Opener::open_below(const std::string& path, const qcow2::Header& header)
{
    auto below = resolve(path, header.backing_file);
    if (!below)
        return below.error();
    const auto format = format_named(header.backing_format);
    if (!format)
        return unusable(
            path,
            header.backing_format.empty()
                ? text("it doesn't say of which format the image below it, ", in_quotes(header.backing_file), ", is")
                : text("the image below it is of the unknown format ", in_quotes(header.backing_format)),
            "Write it into the image with qemu-img rebase -u -F FORMAT -b FILE");
    return open(below->string(), *format, ImageAccess::read_only, false);
}

// While its chain is being opened, a layer may be replaced by one that was merged from it and those below (layer_merge.h),
// which then are deleted.
Result<std::shared_ptr<ImageLayer>> Opener::open_qcow2(const std::string& path, ImageAccess access, bool top)
{
    const auto depth = chain_.size();
    for (unsigned attempt = 1;; ++attempt) {
        const auto before = file_number(path);
        auto opened = open_qcow2_once(path, access, top);
        if (opened || attempt == most_attempts || file_number(path) == before)
            return opened;
        chain_.resize(depth);
    }
}

Result<std::shared_ptr<ImageLayer>> Opener::open_qcow2_once(const std::string& path, ImageAccess access, bool top)
{
    auto file = open_image_file(path, access, options_.cache);
    if (!file)
        return file.error();
    auto header = qcow2::read_header(**file, path);
    if (!header)
        return header.error();
    qcow2::Image::Options options{.access = access, .snapshot = top ? options_.snapshot : ""};
    if (!header->backing_file.empty()) {
        auto below = open_below(path, *header);
        if (!below)
            return below;
        options.backing = std::move(*below);
    }
    auto image = qcow2::Image::open(path, std::move(*file), std::move(*header), std::move(options));
    if (!image)
        return image.error();
    return std::shared_ptr<ImageLayer>(std::move(*image));
}

using OpenForeign = Result<std::shared_ptr<ImageLayer>>(const std::string& path, std::unique_ptr<ImageFile> file);

Result<std::shared_ptr<ImageLayer>> open_foreign(const std::string& path, ImageAccess access, OpenForeign* open)
{
    if (access == ImageAccess::read_write)
        return unusable(
            path, "images of its format are only read", "Convert it with “paddock disk convert”, or lay a qcow2 image over it");
    auto file = open_image_file(path, access);
    if (!file)
        return file.error();
    return open(path, std::move(*file));
}

Result<std::shared_ptr<ImageLayer>> Opener::open(const std::string& path, ImageFormat format, ImageAccess access, bool top)
{
    const std::string place = real(path).string();
    if (std::ranges::find(chain_, place) != chain_.end())
        return unusable(path, "it lies below itself", "Use a backup of it");
    if (chain_.size() >= most_layers)
        return unusable(chain_.front(), text("there are more than ", most_layers, " images below it"), "Convert it into one");
    chain_.push_back(place);
    if (format == ImageFormat::by_name) {
        auto decided = decide_format(path);
        if (!decided)
            return decided.error();
        format = *decided;
    }
    if (top && !options_.snapshot.empty() && format != ImageFormat::qcow2)
        return unusable(path, "only qcow2 images have snapshots inside", "Leave the snapshot away");
    switch (format) {
    case ImageFormat::qcow2:
        return open_qcow2(path, access, top);
    case ImageFormat::by_name:
    case ImageFormat::raw: {
        auto raw = RawFile::open_layer(path, RawFile::Medium::disk, access, options_.cache);
        if (!raw)
            return raw.error();
        return std::shared_ptr<ImageLayer>(std::move(*raw));
    }
    case ImageFormat::vmdk:
        return open_foreign(path, access, &VmdkImage::open);
    case ImageFormat::vdi:
        return open_foreign(path, access, &VdiImage::open);
    case ImageFormat::vhd:
        return open_foreign(path, access, &VhdImage::open);
    case ImageFormat::vhdx:
        return open_foreign(path, access, &VhdxImage::open);
    }
    return unusable(path, "its format is not known here", "Convert it to qcow2");
}

}

std::string_view format_name(ImageFormat format)
{
    const auto found = std::ranges::find(names, format, &FormatName::format);
    return found == names.end() ? "" : found->name;
}

std::optional<ImageFormat> format_named(std::string_view name)
{
    const auto found = std::ranges::find(names, name, &FormatName::name);
    return name.empty() || found == names.end() ? std::nullopt : std::optional(found->format);
}

ImageFormat format_of_path(const std::string& path)
{
    std::string suffix = fs::path(path).extension().string();
    std::ranges::transform(suffix, suffix.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 'a' - 'A') : c; });
    const auto found = std::ranges::find(names, suffix, &FormatName::suffix);
    return suffix.empty() || found == names.end() ? ImageFormat::raw : found->format;
}

Result<ImageFormat> probe_format(const std::string& path)
{
    // Without its lock: a machine may be using it, and only its first bytes are looked at.
    auto file = peek_image_file(path);
    if (!file)
        return file.error();
    const ImageFormat found = format_of_content(**file);
    if (found != ImageFormat::raw)
        return found;
    // A VHD of fixed size has its only mark at the end.
    std::array<u8, 8> cookie{};
    const u64 size = (*file)->size();
    const bool footer = size > 512 && format_of_path(path) == ImageFormat::vhd && (*file)->read(size - 512, cookie) == 0
        && std::equal(cookie.begin(), cookie.end(), "conectix");
    return footer ? ImageFormat::vhd : ImageFormat::raw;
}

Result<std::shared_ptr<ImageLayer>> open_layer(const std::string& path, ImageAccess access, const OpenOptions& options)
{
    return Opener(options).open(path, options.format, access, true);
}

Result<std::unique_ptr<DiskImage>>
open_image(const std::string& path, ImageAccess access, WorkerPool& workers, const OpenOptions& options)
{
    auto layer = open_layer(path, access, options);
    if (!layer)
        return layer.error();
    return std::make_unique<DiskImage>(std::move(*layer), workers);
}

Result<u64> size_of_image(const std::string& path, const OpenOptions& options)
{
    const auto format = options.format == ImageFormat::by_name ? decide_format(path) : Result<ImageFormat>(options.format);
    if (!format)
        return format.error();
    if (format.value() != ImageFormat::qcow2 || !options.snapshot.empty()) {
        const auto layer = open_layer(path, ImageAccess::read_only, options);
        return layer ? Result<u64>(layer.value()->size()) : layer.error();
    }
    const auto file = open_image_file(path, ImageAccess::read_only, options.cache);
    if (!file)
        return file.error();
    const auto header = qcow2::read_header(*file.value(), path);
    return header ? Result<u64>(round_up(header.value().size, 512)) : header.error();
}

std::string path_from(const std::string& from, const std::string& to)
{
    return real(to).lexically_proximate(real(from).parent_path()).string();
}

Result<void> create_overlay(const std::string& path, const std::string& below, ImageFormat below_format, u64 size)
{
    auto file = NewFile::create(path);
    if (!file)
        return file.error();
    const ImageFormat format = below_format == ImageFormat::by_name ? format_of_path(below) : below_format;
    const qcow2::NewImage image{
        .size = size,
        .backing_file = path_from(path, below),
        .backing_format = std::string(format_name(format)),
    };
    if (auto written = qcow2::write_new_image(file->file(), image, path); !written)
        return written;
    return file->keep();
}

Result<std::shared_ptr<ImageLayer>>
open_overlay(const std::string& path, std::shared_ptr<ImageLayer> below, DiskCache cache, ImageAccess access)
{
    auto file = open_image_file(path, access, cache);
    if (!file)
        return file.error();
    auto header = qcow2::read_header(**file, path);
    if (!header)
        return header.error();
    if (header->backing_file.empty() || !same_place(real(path).parent_path() / header->backing_file, std::string(below->name())))
        return unusable(path, text("it is no overlay of ", in_quotes(below->name())), "Make a new one");
    auto image = qcow2::Image::open(path, std::move(*file), std::move(*header), {.access = access, .backing = std::move(below)});
    if (!image)
        return image.error();
    return std::shared_ptr<ImageLayer>(std::move(*image));
}

bool same_place(const std::string& one, const std::string& other)
{
    return real(one) == real(other);
}

std::vector<std::string> images_of_chain(const std::string& path, ImageFormat format, std::size_t most)
{
    std::vector<std::string> chain{path};
    while (format == ImageFormat::qcow2 && chain.size() < most) {
        auto file = peek_image_file(chain.back());
        const auto header = file ? qcow2::read_header(**file, chain.back()) : Result<qcow2::Header>(file.error());
        if (!header || header.value().backing_file.empty())
            break;
        format = format_named(header.value().backing_format).value_or(ImageFormat::raw);
        chain.push_back((real(chain.back()).parent_path() / header.value().backing_file).lexically_normal().string());
    }
    return chain;
}

}
