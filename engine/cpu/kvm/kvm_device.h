#pragma once
// The door to the kernel's virtual machine monitor. Linux, Documentation/virt/kvm/api.rst; the section numbers in this
// folder are that document's.

#include <cerrno>

#include <sys/ioctl.h>

#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine {

// Repeats what a signal interrupted; -1 and errno on failure. Not for KVM_RUN, which signals are meant to interrupt.
template <class T = unsigned long> int control(const FileDescriptor& on, unsigned long request, T argument = {})
{
    int result;
    do
        result = ::ioctl(on.get(), request, argument);
    while (result == -1 && errno == EINTR);
    return result;
}

// What a KVM call that must work for any machine met: the Error says which.
Error kvm_error(const char* what);

class KvmDevice {
public:
    // Fails with words for a missing module, missing permission and a kernel that is too old.
    static Result<KvmDevice> open();

    Result<FileDescriptor> create_vm() const;
    // 4.4 KVM_CHECK_EXTENSION
    int extension(int capability) const { return control(file_, check_extension, u64(capability)); }
    // Bytes of the page that a vCPU shares with its thread.
    std::size_t run_size() const { return run_size_; }
    const FileDescriptor& file() const { return file_; }

private:
    static const unsigned long check_extension;

    KvmDevice(FileDescriptor file, std::size_t run_size) : file_(std::move(file)), run_size_(run_size) { }

    FileDescriptor file_;
    std::size_t run_size_;
};

}
