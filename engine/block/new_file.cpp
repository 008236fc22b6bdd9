#include "engine/block/new_file.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/text.h"

namespace engine {

namespace {

constexpr mode_t everyday = 0644;

std::string folder_of(const std::string& path)
{
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string hidden_name(const std::string& path)
{
    const auto slash = path.rfind('/');
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    return text(folder_of(path), "/.", name.substr(0, 200), ".XXXXXX");
}

}

Error cannot_create(const std::string& path, int error_number)
{
    const std::string what = "The disk image " + in_quotes(path) + " can't be created";
    switch (error_number) {
    case EEXIST:
        return {what, "a file of that name exists already", "Choose another name, or use the existing image"};
    case ENOENT:
    case ENOTDIR:
        return {what, "its folder does not exist", "Create the folder first, or choose another one"};
    case EACCES:
    case EPERM:
    case EROFS:
        return {what, "you may not write to that folder", "Choose a folder of your own"};
    case ENOSPC:
    case EDQUOT:
        return {what, "the disk is full", "Make room on that disk, or choose a folder on another one"};
    case EFBIG:
    case EINVAL:
        return {what, "its size is more than the file system can hold in one file", "Choose a smaller size"};
    default:
        return {what, system_error_text(error_number), "Check the disk that the folder lies on"};
    }
}

Result<NewFile> NewFile::create(const std::string& path)
{
    if (::access(path.c_str(), F_OK) == 0)
        return cannot_create(path, EEXIST);
    return make(path);
}

Result<NewFile> NewFile::create_to_replace(const std::string& path)
{
    return make(path);
}

Result<NewFile> NewFile::make(const std::string& path)
{
    NewFile made;
    made.path_ = path;
    made.descriptor_ = FileDescriptor(::open(folder_of(path).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, everyday));
    if (!made.descriptor_.valid() && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        made.hidden_ = hidden_name(path);
        made.descriptor_ = FileDescriptor(::mkostemp(made.hidden_.data(), O_CLOEXEC));
        if (!made.descriptor_.valid())
            made.hidden_.clear();
    }
    if (!made.descriptor_.valid())
        return cannot_create(path, errno);
    made.file_ = made.another();
    return made;
}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      hidden_(std::exchange(other.hidden_, {})),
      descriptor_(std::move(other.descriptor_)),
      file_(std::move(other.file_))
{
}

NewFile::~NewFile()
{
    if (!hidden_.empty())
        ::unlink(hidden_.c_str());
}

std::unique_ptr<ImageFile> NewFile::another()
{
    return image_file_of(FileDescriptor(::fcntl(descriptor_.get(), F_DUPFD_CLOEXEC, 0)));
}

Result<void> NewFile::keep()
{
    return publish(false);
}

Result<void> NewFile::replace()
{
    return publish(true);
}

Result<void> NewFile::publish(bool replaces)
{
    if (const int error_number = file_->flush())
        return cannot_create(path_, error_number);
    if (hidden_.empty()) {
        // Give it a name; only a rename can take the place of another.
        const std::string self = text("/proc/self/fd/", descriptor_.get());
        std::string name = path_;
        if (replaces) {
            name = hidden_name(path_);
            const FileDescriptor unique(::mkstemp(name.data()));
            ::unlink(name.c_str());
        }
        if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0)
            return cannot_create(path_, errno);
        if (replaces)
            hidden_ = name;
    }
    if (!hidden_.empty()) {
        if (::renameat2(AT_FDCWD, hidden_.c_str(), AT_FDCWD, path_.c_str(), replaces ? 0 : RENAME_NOREPLACE) != 0)
            return cannot_create(path_, errno);
        hidden_.clear();
    }
    const FileDescriptor folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.valid() || ::fsync(folder.get()) != 0)
        return cannot_create(path_, errno);
    return {};
}

}
