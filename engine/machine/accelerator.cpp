#include "engine/machine/accelerator.h"

#include <cerrno>

#include <fcntl.h>

#include "engine/base/file_descriptor.h"
#include "engine/base/text.h"

namespace engine {

KvmVerdict probe_kvm()
{
    const FileDescriptor kvm{::open("/dev/kvm", O_RDWR | O_CLOEXEC)};
    if (!kvm.valid())
        return {false, text("/dev/kvm can't be used: ", system_error_text(errno))};
    return {false, "Paddock does not run machines on /dev/kvm yet"};
}

AcceleratorChoice choose_accelerator(Accelerator wanted)
{
    const auto refuse = [](unsigned, Processors::Wires) -> Result<std::unique_ptr<Processors>> {
        return Error{
            "The machine can't run on KVM", probe_kvm().reason, "Let Paddock choose the accelerator, or take the translator"};
    };
    switch (wanted) {
    case Accelerator::kvm:
        return {{Accelerator::kvm, "It was asked for"}, refuse};
    case Accelerator::interpreter:
        return {{Accelerator::interpreter, "It was asked for"}, make_interpreter};
    case Accelerator::translator:
        return {{Accelerator::translator, "It was asked for"}, make_interpreter};
    case Accelerator::automatic:
        break;
    }
    return {{Accelerator::translator, probe_kvm().reason}, make_interpreter};
}

}
