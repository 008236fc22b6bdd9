#pragma once
#include <string>

namespace engine {

// Whether KVM can run an operating system here.
struct KvmProbe {
    bool usable = false;
    std::string reason;    // in words, always filled in
};

// Opens /dev/kvm and lets a guest of a few instructions use what every operating system's kernel uses and an incomplete
// KVM lacks. A few milliseconds; cannot hang. Any thread.
KvmProbe run_kvm_probe();

}
