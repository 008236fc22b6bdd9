#include "engine/snapshot/snapshot_directory.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/snapshot/container.h"

namespace engine {

namespace {
constexpr u64 front_of_file = u64(1) << 20;    // holds what a list shows
constexpr const char* unfinished_suffix = ".tmp";
constexpr u64 most_pages = u64(1) << 28;    // of one block of memory: 1 TiB
// Counted in attempts, not by a clock: whoever holds the lock may have been stopped together with the one that waits.
constexpr std::chrono::milliseconds between_attempts{5};
constexpr unsigned most_attempts = 1000;

Error cannot(const std::string& what, const std::string& path)
{
    return {text(path, " can't be ", what), system_error_text(errno), "Look at the disk's free space and at the folder's owner"};
}

bool is_named(const FileDescriptor& file, const std::string& path)
{
    struct stat ours { };
    struct stat named { };
    return ::fstat(file.get(), &ours) == 0 && ::stat(path.c_str(), &named) == 0 && ours.st_dev == named.st_dev
        && ours.st_ino == named.st_ino;
}
}

std::string SnapshotDirectory::new_id()
{
    u64 value = 0;
    while (::getrandom(&value, sizeof value, 0) != sizeof value) { }
    return hex(value, 16);
}

bool SnapshotDirectory::is_id(const std::string& id)
{
    return id.size() == 16 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Result<void> SnapshotDirectory::make() const
{
    if (::mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST)
        return cannot("made", path_);
    return {};
}

std::vector<std::string> SnapshotDirectory::names(const std::string& suffix) const
{
    std::vector<std::string> found;
    DIR* const folder = ::opendir(path_.c_str());
    if (!folder)
        return found;
    while (const dirent* entry = ::readdir(folder))
        if (const std::string name = entry->d_name; name.ends_with(suffix) && name != "." && name != "..")
            found.push_back(name.substr(0, name.size() - suffix.size()));
    ::closedir(folder);
    std::ranges::sort(found);
    return found;
}

u64 SnapshotDirectory::size(const std::string& name) const
{
    struct stat status { };
    return ::stat(file(name).c_str(), &status) == 0 ? u64(status.st_blocks) * 512 : 0;
}

bool SnapshotDirectory::has(const std::string& name) const
{
    return ::access(file(name).c_str(), F_OK) == 0;
}

Result<std::vector<u8>> SnapshotDirectory::read(const std::string& name, u64 limit) const
{
    const FileDescriptor from{::open(file(name).c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat status { };
    if (!from.valid() || ::fstat(from.get(), &status) != 0)
        return cannot("opened", file(name));
    std::vector<u8> bytes(std::min<u64>(u64(status.st_size), limit));
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t count = ::read(from.get(), bytes.data() + done, bytes.size() - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return cannot("read", file(name));
        if (count == 0)
            bytes.resize(done);
        done += std::size_t(count);
    }
    return bytes;
}

// Locked while it is written, so that others know it from what a crash left. Once the lock is there the file may have got its
// final name, or have been removed.
FileDescriptor SnapshotDirectory::open_beside(const std::string& beside)
{
    for (;;) {
        FileDescriptor to{::open(beside.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666)};
        if (!to.valid())
            return to;
        while (::flock(to.get(), LOCK_EX) != 0 && errno == EINTR) { }
        if (is_named(to, beside))
            return ::ftruncate(to.get(), 0) == 0 ? std::move(to) : FileDescriptor();
    }
}

void SnapshotDirectory::remove_unfinished() const
{
    for (const std::string& name : names(unfinished_suffix)) {
        const std::string path = file(name + unfinished_suffix);
        const FileDescriptor left{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
        if (left.valid() && ::flock(left.get(), LOCK_EX | LOCK_NB) == 0 && is_named(left, path))
            ::unlink(path.c_str());
    }
}

Result<void> SnapshotDirectory::write(const std::string& name, std::span<const u8> bytes) const
{
    const std::string beside = file(name) + unfinished_suffix;
    const FileDescriptor to = open_beside(beside);
    if (!to.valid())
        return cannot("written", beside);
    while (!bytes.empty()) {
        const ssize_t count = ::write(to.get(), bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            const Error error = cannot("written", beside);
            ::unlink(beside.c_str());
            return error;
        }
        bytes = bytes.subspan(std::size_t(count));
    }
    if (::fdatasync(to.get()) != 0) {
        const Error error = cannot("written", beside);
        ::unlink(beside.c_str());
        return error;
    }
    return rename(name + unfinished_suffix, name);
}

Result<void> SnapshotDirectory::rename(const std::string& from, const std::string& to) const
{
    if (::rename(file(from).c_str(), file(to).c_str()) != 0)
        return cannot("renamed", file(from));
    return sync();
}

void SnapshotDirectory::remove(const std::string& name) const
{
    ::unlink(file(name).c_str());
}

Result<void> SnapshotDirectory::sync() const
{
    const FileDescriptor folder{::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder.valid() || ::fsync(folder.get()) != 0)
        return cannot("written", path_);
    return {};
}

Result<SnapshotInfo> SnapshotDirectory::info(const std::string& id, const std::string& suffix) const
{
    const auto bytes = read(id + suffix, front_of_file);
    if (!bytes)
        return bytes.error();
    auto info = unpack_info(bytes.value(), file(id + suffix));
    if (!info)
        return info;
    info->id = id;
    if (auto label = this->label(id)) {
        info->name = std::move(label->name);
        info->note = std::move(label->note);
    }
    return info;
}

std::optional<Label> SnapshotDirectory::label(const std::string& id) const
{
    const auto bytes = has(id + label_suffix) ? read(id + label_suffix, front_of_file) : Result<std::vector<u8>>(Error{});
    auto label = bytes ? unpack_label(bytes.value(), file(id + label_suffix)) : Result<Label>(Error{});
    return label ? std::optional(std::move(*label)) : std::nullopt;
}

Result<void> SnapshotDirectory::set_label(const std::string& id, const Label& label) const
{
    return write(id + label_suffix, pack_label(label));
}

Result<SnapshotContent> SnapshotDirectory::snapshot(const std::string& id, PageStore& store, const std::string& suffix) const
{
    if (!is_id(id))
        return Error{
            text("There is no snapshot \"", id, "\""), "Ids have 16 hexadecimal digits", "Look at the list of snapshots"};
    if (size(id + suffix) > largest_container)
        return damaged(file(id + suffix), "It is larger than any snapshot can be");
    const auto bytes = read(id + suffix, largest_container);
    if (!bytes)
        return bytes.error();
    auto content = unpack_snapshot(bytes.value(), store, most_pages, file(id + suffix));
    if (content && content->info.id != id)
        return damaged(file(id + suffix), "It is the file of another snapshot");
    return content;
}

Result<std::vector<DiskLayers>> SnapshotDirectory::disks(const std::string& id, const std::string& suffix) const
{
    const auto front = read(id + suffix, front_of_file);
    if (!front)
        return front.error();
    if (auto disks = unpack_disks(front.value(), file(id + suffix)); disks && *disks)
        return std::move(**disks);
    PageStore store(path_);
    auto content = snapshot(id, store, suffix);
    return content ? Result<std::vector<DiskLayers>>(std::move(content->disks)) : content.error();
}

Result<Present> SnapshotDirectory::present() const
{
    if (!has(present_name_))
        return Present{};
    const auto bytes = read(present_name_, front_of_file);
    if (!bytes)
        return bytes.error();
    return unpack_present(bytes.value(), file(present_name_));
}

Result<Present> SnapshotDirectory::link(const std::string& id) const
{
    const auto bytes = read(id + linked_suffix, front_of_file);
    if (!bytes)
        return bytes.error();
    return unpack_present(bytes.value(), file(id + linked_suffix));
}

Result<void> SnapshotDirectory::set_present(const Present& present) const
{
    return write(present_name_, pack_present(present));
}

Result<FileDescriptor> SnapshotDirectory::lock(Use use) const
{
    FileDescriptor folder{::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder.valid())
        return cannot("opened", path_);
    for (unsigned attempt = 1; ::flock(folder.get(), (use == Use::shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0; ++attempt) {
        if (attempt == most_attempts)
            return Error{"The snapshots are in use", "A snapshot is being written, or space freed", "Try again in a moment"};
        std::this_thread::sleep_for(between_attempts);
    }
    return folder;
}

}
