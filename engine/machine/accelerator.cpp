#include "engine/machine/accelerator.h"

#include "engine/cpu/kvm/kvm_probe.h"

namespace engine {

KvmVerdict probe_kvm()
{
    static const KvmProbe probe = run_kvm_probe();
    return {probe.usable, probe.reason};
}

AcceleratorChoice choose_accelerator(Accelerator wanted)
{
    switch (wanted) {
    case Accelerator::kvm:
        return {{Accelerator::kvm, "It was asked for"}, make_kvm};
    case Accelerator::interpreter:
        return {{Accelerator::interpreter, "It was asked for"}, make_interpreter};
    case Accelerator::translator:
        return {{Accelerator::translator, "It was asked for"}, make_translator};
    case Accelerator::lockstep:
        return {{Accelerator::lockstep, "It was asked for"}, make_lockstep};
    case Accelerator::automatic:
        break;
    }
    KvmVerdict kvm = probe_kvm();
    if (kvm.usable)
        return {{Accelerator::kvm, std::move(kvm.reason)}, make_kvm};
    return {{Accelerator::translator, std::move(kvm.reason)}, make_translator};
}

}
