#pragma once
// A file that appears under its name only when it is complete: until then it has no name at all where the file system can do
// that, and a hidden one beside its place otherwise. Nothing is left of one that isn't kept.

#include <memory>
#include <string>

#include "engine/block/image_file.h"

namespace engine {

class NewFile {
public:
    // Fails where the folder doesn't take files, and where `path` exists already.
    static Result<NewFile> create(const std::string& path);
    // For replace(): there is such a file already.
    static Result<NewFile> create_to_replace(const std::string& path);
    NewFile(NewFile&& other) noexcept;
    ~NewFile();

    ImageFile& file() { return *file_; }
    // Another descriptor of the same file, for an image to be opened on.
    std::unique_ptr<ImageFile> another();
    // Makes the content durable and gives it its name, durably. An existing file is never replaced: an error then.
    Result<void> keep();
    // As keep(), but takes the place of what bears the name.
    Result<void> replace();

private:
    NewFile() = default;
    static Result<NewFile> make(const std::string& path);
    Result<void> publish(bool replaces);

    std::string path_, hidden_;    // hidden_: "" where the file has no name
    FileDescriptor descriptor_;
    std::unique_ptr<ImageFile> file_;
};

Error cannot_create(const std::string& path, int error_number);

}
