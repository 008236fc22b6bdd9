# Sourced by the scripts beside it: suites made by others, run on this host and in a Linux guest, and compared test by test.
# They take a folder in which the suite lies built, by its own instructions: none of it is kept here. See ../guest/guest.sh for
# PADDOCK, PADDOCK_ACCEL, PADDOCK_PATIENCE and PADDOCK_RESULTS, where both runs are left as NAME.native and NAME.guest.
. "$(dirname "${BASH_SOURCE[0]}")/../guest/guest.sh"
. "$here/linux.inc.sh"
suites=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# in_guest SECONDS CPUS MEMORY COMMAND: after linux_guest, what its shell says when it runs COMMAND, on the standard output; what
# the command needs lies in $work/initrd; $append adds to the kernel's arguments. Ends with 1 where the guest doesn't come to the
# command's end.
in_guest() {
    local seconds=$(($1 * ${PADDOCK_PATIENCE:-1})) cpus=$2 memory=$3 status=0
    cat >"$work/initrd/init" <<INIT
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
ifconfig lo 127.0.0.1
echo "the suite begins"
( $4 )
echo "the suite ends"
poweroff -f
INIT
    mkdir -p "$work/initrd/tmp"
    (cd "$work/initrd" && find . | cpio --quiet -o -H newc | gzip -1) >"$initrd"
    "$PADDOCK" boot --headless --accel "$accelerator" --timeout "$seconds" --screenshot "$results/$name.png" --cpus "$cpus" \
        --memory "$memory" --kernel "$kernel" --initrd "$initrd" --append "console=ttyS0 quiet loglevel=0 ${append:-}" --serial stdio \
        </dev/null >"$work/serial" 2>"$work/errors" || status=$?
    tr -d "\r" <"$work/serial" >"$results/$name.serial"
    awk "/^the suite ends\$/ { exit } begun; /^the suite begins\$/ { begun = 1 }" "$results/$name.serial"
    if [ $status != 0 ] || ! grep -q "^the suite ends" "$results/$name.serial"; then
        echo "$name: the guest ended with $status before the suite was through:" >&2
        tail -n 5 "$results/$name.serial" "$work/errors" >&2
        return 1
    fi
}

# judge NATIVE GUEST: from two lists of “pass|fail|skip NAME [WHY]” the list of what the guest makes of the tests that pass on
# this host, and a summary. Ends with 1 where one of these fails or is missing in the guest.
judge() {
    cp "$1" "$results/$name.native"
    cp "$2" "$results/$name.guest"
    awk -v suite="$name" '
        { how = $1; test = $2; sub(/^[^ ]+ [^ ]+ ?/, "") }
        how !~ /^(pass|fail|skip)$/ { next }
        FNR == NR { native[test] = how; natively[test] = $0; order[++tests] = test; next }
        { guest[test] = how; within[test] = $0 }
        END {
            for (n = 1; n <= tests; ++n) {
                test = order[n]
                if (native[test] != "pass") { how = "skip"; why = "on this host: " native[test] " " natively[test] }
                else if (!(test in guest)) { how = "fail"; why = "the guest did not come to it" }
                else { how = guest[test]; why = within[test] }
                ++count[how]
                print how " " test (why == "" ? "" : " " why)
            }
            printf "%s: %d pass, %d fail, %d skip\n", suite, count["pass"], count["fail"], count["skip"]
            exit count["fail"] || !count["pass"]
        }' "$1" "$2"
}

# compare_programs FOLDER MEMORY ROUNDS SECONDS: after linux_guest, runs each program that lies somewhere in FOLDER on this host, and in the
# guest up to ROUNDS times or until SECONDS are over, where it must end and say the same each time. A block is translated once it was entered eight times:
# fewer rounds leave most of it to the interpreter. What says two different things on this host is compared by its end alone.
compare_programs() {
    local folder=$1 memory=$2 rounds=$3 seconds=$4 broken=0
    mkdir -p "$work/initrd/suite"
    (cd "$folder" && find . -type f -executable | sed 's,^\./,,' | LC_ALL=C sort) >"$work/initrd/suite/list"
    [ -s "$work/initrd/suite/list" ] || skip "$folder holds no programs"
    (cd "$folder" && cpio --quiet -pdm "$work/initrd/suite" <"$work/initrd/suite/list")
    cp "$suites/programs" "$work/initrd/bin/programs"
    sh "$suites/programs" "$work/initrd/suite" here >"$work/native"
    in_guest 7200 2 "$memory" "sh /bin/programs /suite guest $rounds $seconds" >"$work/guest" || broken=1
    judge "$work/native" "$work/guest" && return $broken
}
