#!/usr/bin/env bash
# stress-ng, which verifies what it computes, in a guest with four processors.
#
#     tests/suites/stress.sh [STRESSOR…]        DURATION=120
#
# Each STRESSOR (cpu, vm and atomic) gets four processes, all at once, for DURATION seconds of the guest's.
. "$(dirname "$0")/suite.inc.sh"

[ $# != 0 ] || set -- cpu vm atomic
duration=${DURATION:-120}
linux_guest
tree=$work/initrd
mkdir -p "$tree/lib" "$tree/lib64"
libraries=
for package in libipsec-mb1 libjudydebian1 libsctp1; do
    packaged $package "usr/lib/*/lib*.so.*"
    libraries=$libraries:$(dirname "$image")
done
packaged stress-ng usr/bin/stress-ng
cp "$image" "$tree/bin"
needed=$(LD_LIBRARY_PATH=$libraries ldd "$image")
[[ "$needed" != *"not found"* ]] || skip "stress-ng needs libraries that are not installed: $(grep "not found" <<<"$needed" | tr -s '\t\n ' ' ')"
awk '$2 == "=>" { print $3 }' <<<"$needed" | xargs cp -L -t "$tree/lib"
cp -L /lib64/ld-linux-x86-64.so.2 "$tree/lib64"

command="stress-ng --verify --metrics-brief --temp-path /tmp --vm-bytes 64M --timeout $duration"
for stressor; do
    command+=" --$stressor 4"
done
in_guest $((duration * 5 + 300)) 4 2048 "$command 2>&1; echo stress-ng ended with \$?" | tee "$work/guest"
grep -q "^stress-ng ended with 0$" "$work/guest"
