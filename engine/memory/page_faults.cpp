#include "engine/memory/page_faults.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace engine {

namespace {
// Linux, admin-guide/mm/userfaultfd.rst; younger than Debian 12's headers.
constexpr unsigned long new_userfaultfd = _IO(0xaa, 0x00);

FileDescriptor open_userfaultfd()
{
    constexpr int flags = O_CLOEXEC | O_NONBLOCK;
    FileDescriptor faults{int(::syscall(SYS_userfaultfd, flags))};
    if (faults.valid())
        return faults;
    const FileDescriptor device{::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC)};
    return FileDescriptor(device.valid() ? ::ioctl(device.get(), new_userfaultfd, flags) : -1);
}

u64 address(const u8* at)
{
    return reinterpret_cast<u64>(at);
}
}

bool PageFaults::forbidden_ = false;

std::unique_ptr<PageFaults> PageFaults::open()
{
    if (forbidden_)
        return nullptr;
    FileDescriptor faults = open_userfaultfd(), interruption{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    uffdio_api api{.api = UFFD_API, .features = UFFD_FEATURE_MISSING_SHMEM};
    if (!faults.valid() || !interruption.valid() || ::ioctl(faults.get(), UFFDIO_API, &api) != 0)
        return nullptr;
    return std::unique_ptr<PageFaults>(new PageFaults(std::move(faults), std::move(interruption)));
}

bool PageFaults::watch(const u8* first, u64 size)
{
    uffdio_register range{.range = {address(first), size}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    return ::ioctl(faults_.get(), UFFDIO_REGISTER, &range) == 0;
}

void PageFaults::release(const u8* first, u64 size)
{
    const uffdio_range range{address(first), size};
    ::ioctl(faults_.get(), UFFDIO_UNREGISTER, &range);
}

void PageFaults::wake(const u8* page)
{
    const uffdio_range range{address(page), page_size};
    ::ioctl(faults_.get(), UFFDIO_WAKE, &range);
}

PageFaults::Given PageFaults::give(const u8* page, const u8* content)
{
    for (;;) {
        uffdio_copy copy{.dst = address(page), .src = address(content), .len = page_size};
        if (::ioctl(faults_.get(), UFFDIO_COPY, &copy) == 0)
            return Given::now;
        // The address space is being changed by somebody else.
        if (errno == EAGAIN || errno == EINTR)
            continue;
        const bool was_there = errno == EEXIST;
        wake(page);
        return was_there ? Given::earlier : Given::not_at_all;
    }
}

const u8* PageFaults::next()
{
    for (;;) {
        pollfd waits[] = {{faults_.get(), POLLIN, 0}, {interruption_.get(), POLLIN, 0}};
        if (::poll(waits, std::size(waits), -1) < 0 && errno != EINTR)
            return nullptr;
        if (waits[1].revents)
            return nullptr;
        uffd_msg message{};
        if (::read(faults_.get(), &message, sizeof message) != ssize_t(sizeof message) || message.event != UFFD_EVENT_PAGEFAULT)
            continue;
        return reinterpret_cast<const u8*>(message.arg.pagefault.address);
    }
}

void PageFaults::interrupt()
{
    ::eventfd_write(interruption_.get(), 1);
}

}
