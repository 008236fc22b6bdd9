#include "engine/machine/firmware/variable_store.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/device/platform/parallel_flash.h"
#include "engine/machine/firmware/rom.h"

namespace engine {

namespace {
constexpr mode_t everyday = 0644;

int write_whole(int to, std::span<const u8> bytes)
{
    while (!bytes.empty()) {
        const ssize_t count = ::write(to, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? errno : EIO;
        bytes = bytes.subspan(std::size_t(count));
    }
    return ::fdatasync(to) == 0 ? 0 : errno;
}

bool same_file(int descriptor, const std::string& path)
{
    struct stat opened {
    }, named{};
    return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev
        && opened.st_ino == named.st_ino;
}
}

Error VariableFile::trouble(int error_number) const
{
    return {
        text("The firmware's settings can't be kept in ", path_), system_error_text(error_number),
        error_number == ENOSPC || error_number == EDQUOT ? "Free space there, then go on" : "Look who may write there"};
}

Result<VariableFile> VariableFile::open(const std::string& path, std::span<const u8> initial)
{
    VariableFile file(path);
    for (;;) {
        file.held_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        if (!file.held_.valid() && errno != ENOENT)
            return file.trouble(errno);
        if (!file.held_.valid()) {
            if (auto made = file.replace(initial); !made)
                return made.error();
            file.content_.assign(initial.begin(), initial.end());
            return file;
        }
        if (::flock(file.held_.get(), LOCK_EX | LOCK_NB) != 0)
            return Error{
                text("The firmware's settings in ", path, " are in use"), "Another machine writes to that file",
                "Stop that machine first, or name another file"};
        // Its owner may have replaced it, and gone, in between.
        if (!same_file(file.held_.get(), path))
            continue;
        if (auto read = file.read(initial.size()); !read)
            return read.error();
        return file;
    }
}

Result<void> VariableFile::read(u64 size)
{
    auto content = read_whole_file(path_, ParallelFlash::largest, "the firmware's settings");
    if (!content)
        return content.error();
    if (content->size() != size)
        return Error{
            text("The firmware's settings in ", path_, " are another firmware's"),
            text("They have ", content->size(), " bytes, and this firmware's ", size),
            "Choose the firmware that wrote them, or move the file away to begin anew"};
    content_ = std::move(*content);
    return {};
}

Result<void> VariableFile::replace(std::span<const u8> content)
{
    const std::string beside = path_ + ".new";
    FileDescriptor to(::open(beside.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, everyday));
    if (!to.valid() || ::flock(to.get(), LOCK_EX | LOCK_NB) != 0 || ::ftruncate(to.get(), 0) != 0)
        return trouble(errno);
    if (const int error_number = write_whole(to.get(), content)) {
        ::unlink(beside.c_str());
        return trouble(error_number);
    }
    if (::rename(beside.c_str(), path_.c_str()) != 0)
        return trouble(errno);
    held_ = std::move(to);
    const auto folder = std::filesystem::path(path_).parent_path();
    const FileDescriptor place(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return place.valid() && ::fsync(place.get()) == 0 ? Result<void>() : trouble(errno);
}

VariableStore::VariableStore(VariableFile file, const MemoryBlock& chip, Wires wires)
    : file_(std::move(file)),
      chip_(chip),
      wires_(std::move(wires))
{
}

VariableStore::~VariableStore()
{
    std::unique_lock lock(wires_.machine_lock);
    wires_.failed = {};    // nobody can mend it any more
    if (dirty_ && !busy_)
        begin();
    idle_.wait(lock, [this] { return !busy_; });
}

void VariableStore::changed()
{
    dirty_ = true;
    if (!busy_)
        begin();
}

void VariableStore::retry_failed()
{
    if (dirty_ && !busy_)
        begin();
}

void VariableStore::begin()
{
    busy_ = true;
    wires_.workers.run([this] { write_changes(); });
}

void VariableStore::write_changes()
{
    std::unique_lock lock(wires_.machine_lock);
    while (std::exchange(dirty_, false)) {
        const std::vector<u8> content(chip_.data(), chip_.data() + chip_.size());
        lock.unlock();
        const auto replaced = file_.replace(content);
        lock.lock();
        if (!replaced) {
            dirty_ = true;
            if (wires_.failed)
                wires_.failed(replaced.error());
            break;
        }
    }
    busy_ = false;
    idle_.notify_all();
}

void save_variables(const std::string& path, SnapshotContent& content)
{
    if (path.empty() || ::access(path.c_str(), F_OK) != 0)
        return;
    if (auto bytes = read_whole_file(path, ParallelFlash::largest, "the firmware's settings"))
        content.states[variable_chip].blobs[ParallelFlash::content_field] = std::move(*bytes);
}

std::optional<std::vector<u8>> variables_in(const SnapshotContent& content)
{
    const auto chip = content.states.find(variable_chip);
    if (chip == content.states.end())
        return std::nullopt;
    const auto found = chip->second.blobs.find(ParallelFlash::content_field);
    if (found == chip->second.blobs.end())
        return std::nullopt;
    std::vector<u8> bytes = found->second;
    // What was erased at its end is not kept of a machine that ran.
    const auto size = content.machine.scalars.find(variable_bytes);
    if (size != content.machine.scalars.end())
        bytes.resize(std::clamp<u64>(size->second, bytes.size(), ParallelFlash::largest), 0xff);
    return bytes;
}

std::string trial_variables(const std::string& snapshots)
{
    return snapshots + "/trial.variables";
}

}
