#!/usr/bin/env bash
# The C library's mathematics and the x87's on this host and in a guest: libc-test's, and libm_hash's functions one by one.
#
#     tests/suites/math.sh [FOLDER]        ARGUMENTS=100000 ROUNDS=12
#
# FOLDER holds libc-test's programs of src/math, linked statically. Of libm_hash there is a 32-bit one too where the compiler can.
. "$(dirname "$0")/suite.inc.sh"

programs=$work/math
mkdir -p "$programs"
if [ $# != 0 ]; then
    mkdir "$programs/libc-test"
    find "$1" -type f -executable -exec cp {} "$programs/libc-test" \;
fi
for bits in 64 32; do
    c++ -std=c++20 -m$bits -O2 -mavx -frounding-math -static "-DARGUMENTS=${ARGUMENTS:-100000}" -o "$work/libm$bits" \
        "$suites/libm_hash.cpp" 2>"$work/errors" || { [ $bits = 32 ] && break; cat "$work/errors"; exit 1; }
    mkdir "$programs/libm$bits"
    for function in $("$work/libm$bits"); do
        ln "$work/libm$bits" "$programs/libm$bits/$function"
    done
done
linux_guest
compare_programs "$programs" 2048 "${ROUNDS:-12}" 1
