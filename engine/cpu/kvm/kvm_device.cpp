#include "engine/cpu/kvm/kvm_device.h"

#include <array>

#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <sys/stat.h>

#include "engine/base/text.h"

namespace engine {

namespace {
constexpr const char* path = "/dev/kvm";
constexpr const char* without = "Let Paddock choose the accelerator: its translator needs nothing of the host";

// Most distributions give the device to the group kvm, but not all do.
Error not_allowed()
{
    const std::string what = "You may not use /dev/kvm";
    struct stat status { };
    std::array<char, 4096> names{};
    group entry{};
    group* found = nullptr;
    constexpr mode_t group_uses_it = S_IRGRP | S_IWGRP;
    if (::stat(path, &status) == 0 && (status.st_mode & group_uses_it) == group_uses_it && status.st_gid != 0
        && ::getgrgid_r(status.st_gid, &entry, names.data(), names.size(), &found) == 0 && found)
        return {
            what, text("It is for members of the group ", found->gr_name),
            text("Become one: sudo adduser $USER ", found->gr_name, ", then log in again")};
    return {
        what, "Nobody but root may open it",
        "Give it to the group kvm and become a member: sudo chgrp kvm /dev/kvm && sudo chmod 660 /dev/kvm && sudo adduser $USER "
        "kvm, then log in again"};
}

Error cannot_open(int error)
{
    switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return {
            "/dev/kvm is missing", "The kernel module kvm_intel or kvm_amd is not loaded, or this computer has no virtualisation",
            "Switch virtualisation (VT-x or AMD-V) on in the computer's firmware and load the module: sudo modprobe kvm_intel, "
            "or kvm_amd"};
    case EACCES:
    case EPERM:
        return not_allowed();
    case EBUSY:
        return {
            "/dev/kvm is busy", "Another virtual machine program holds the processor's virtualisation for itself",
            "Close the other program, VirtualBox for example, and try again"};
    default:
        return {"/dev/kvm can't be opened", system_error_text(error), without};
    }
}
}

const unsigned long KvmDevice::check_extension = KVM_CHECK_EXTENSION;

Error kvm_error(const char* what)
{
    const int error = errno;
    if (error == EBUSY)
        return cannot_open(error);
    return {text("KVM refused to ", what), system_error_text(error), without};
}

Result<KvmDevice> KvmDevice::open()
{
    FileDescriptor file{::open(path, O_RDWR | O_CLOEXEC)};
    if (!file.valid())
        return cannot_open(errno);
    const int version = control(file, KVM_GET_API_VERSION);
    if (version != KVM_API_VERSION)
        return Error{
            "/dev/kvm speaks another language", text("Its interface is version ", version, ", Paddock knows ", KVM_API_VERSION),
            without};
    const int run_size = control(file, KVM_GET_VCPU_MMAP_SIZE);
    if (run_size < int(sizeof(kvm_run)))
        return kvm_error("say how it shares a processor's state");
    return KvmDevice(std::move(file), std::size_t(run_size));
}

Result<FileDescriptor> KvmDevice::create_vm() const
{
    FileDescriptor vm{control(file_, KVM_CREATE_VM)};
    if (!vm.valid())
        return kvm_error("create a virtual machine");
    return vm;
}

}
