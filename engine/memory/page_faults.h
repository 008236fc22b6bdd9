#pragma once
// Accesses to memory that is not there wait until somebody gives it, those that the kernel makes for a guest under KVM too:
// userfaultfd(2). A user may have that as root, where vm.unprivileged_userfaultfd is set, or where /dev/userfaultfd may be
// opened; elsewhere the kernel offers only the faults of programs, and a guest's would be errors.

#include <memory>

#include "engine/base/file_descriptor.h"
#include "engine/base/types.h"

namespace engine {

class PageFaults {
public:
    // Null where this user may not have them.
    static std::unique_ptr<PageFaults> open();
    // For tests: open() gives null.
    static void forbid(bool on) { forbidden_ = on; }

    // Any thread; whole pages of shared memory. False: the kernel refused.
    bool watch(const u8* first, u64 size);
    // Whoever waits goes on, and finds zeroes where nothing was given.
    void release(const u8* first, u64 size);

    // Any thread. Gives a page that is not there its content, and wakes who waits for it.
    enum class Given : u8 { now, earlier, not_at_all };
    Given give(const u8* page, const u8* content);

    // One thread: waits for the next access; its address, or null after interrupt().
    const u8* next();
    void interrupt();

private:
    PageFaults(FileDescriptor faults, FileDescriptor interruption)
        : faults_(std::move(faults)),
          interruption_(std::move(interruption))
    {
    }
    void wake(const u8* page);

    static bool forbidden_;
    FileDescriptor faults_, interruption_;
};

}
