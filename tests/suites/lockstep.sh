#!/usr/bin/env bash
# Debian's kernel up to a shell, and some of busybox's programs, with all host code checked against the interpreter.
#
#     tests/suites/lockstep.sh [COMMAND]
#
# The shell runs COMMAND, if there is one, instead of those programs. Some 6,000 million instructions: about seven minutes of a
# free processor. PADDOCK_ACCEL=lockstep does the same with any other guest or suite that has one processor. A difference is left in
# PADDOCK_RESULTS as lockstep.errors, and as the last lines said.
. "$(dirname "$0")/suite.inc.sh"
accelerator=lockstep

linux_guest
status=0
in_guest 3600 1 256 "${1:-seq 20000 | sort -n -r | gzip | gunzip | md5sum; ls -lR /proc/1 /sys/class 2>/dev/null | awk '{ n += NF } END { print n }'; \
echo 'scale=60; 4*a(1)' | bc -l; find /sys -name uevent | sha256sum; cat /proc/cpuinfo | sed -n 1,8p}" || status=$?
cp "$work/errors" "$results/$name.errors"
grep '^lockstep:' "$work/errors"
exit $status
