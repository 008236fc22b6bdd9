#pragma once
// Whether a qcow2 image is sound: the counts that its tables imply, beside those it keeps. And making it so.

#include <functional>
#include <string>
#include <vector>

#include "engine/block/qcow2/header.h"

namespace engine::qcow2 {

struct CheckReport {
    u64 leaks = 0;    // clusters counted more often than they are used: lost space, nothing worse
    u64 corruptions = 0;    // what may cost data
    u64 repaired_leaks = 0, repaired_corruptions = 0;
    std::vector<std::string> findings;    // the first of them in words
    u64 clusters = 0, allocated = 0, compressed = 0;    // of the disk
    u64 end = 0;    // bytes of the file in use

    bool clean() const { return leaks == repaired_leaks && corruptions == repaired_corruptions; }
};

// Called now and then with what is done, 0 to 1; false stops.
using CheckProgress = std::function<bool(double)>;

// Nobody else writes to the image. An error where it can't be read, or was stopped.
Result<CheckReport> check(ImageFile& file, const Header& header, const std::string& path, const CheckProgress& progress = {});

// Sets the refcounts right and the flags that depend on them; then the image counts as closed in order, and as undamaged
// where nothing is left that can't be repaired.
Result<CheckReport> repair(ImageFile& file, Header& header, const std::string& path, const CheckProgress& progress = {});

}
