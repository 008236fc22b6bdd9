# Sourced by the Linux tests: Debian's own kernel and a first file system with busybox in it.

# linux_guest [FLAVOUR]
linux_guest() {
    local flavour=${1:-amd64}
    command -v cpio >/dev/null || skip "cpio is not installed"
    local package
    package=$(apt-cache depends "linux-image-$flavour" 2>/dev/null | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | head -n 1)
    [ -n "$package" ] || skip "apt does not know linux-image-$flavour"
    packaged "$package" "boot/vmlinuz-*" "./boot/vmlinuz-*"
    kernel=$image
    packaged busybox-static "bin/busybox"
    local tree=$work/initrd
    mkdir -p "$tree"/{bin,proc,sys,dev}
    cp "$image" "$tree/bin/busybox"
    cat >"$tree/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo "processors: $(grep -c ^processor /proc/cpuinfo)"
exec setsid cttyhack sh
INIT
    chmod +x "$tree/init"
    initrd=$work/initrd.gz
    (cd "$tree" && find . | cpio --quiet -o -H newc | gzip -1) >"$initrd"
}

# modules FLAVOUR NAME…: after linux_guest, its kernel's drivers of these names, below kernel/drivers, and all that others of
# them may lean on, into the first file system's /modules
modules() {
    local package module
    package=$(apt-cache depends "linux-image-$1" | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | head -n 1)
    shift
    packaged "$package" "lib/modules/*/kernel/block/t10-pi.ko" "./lib/modules/*" "$package-modules"
    local kernel_modules=${image%/block/t10-pi.ko}
    mkdir -p "$work/initrd/modules"
    cp "$image" "$kernel_modules"/{lib,crypto}/*crc*.ko "$work/initrd/modules"
    for module; do
        cp "$kernel_modules/drivers/$module.ko" "$work/initrd/modules" || skip "the kernel has no module $module"
    done
}

# converse SECONDS CPUS EXPECTED: waits on the serial port for EXPECTED and the prompt, runs a command there, and has the
# guest switch itself off: the process must end with 0 by itself.
converse() {
    local seconds=$(($1 * ${PADDOCK_PATIENCE:-1})) cpus=$2 expected=$3 began=$SECONDS line seen=no
    mkfifo "$work/to" "$work/from"
    "$PADDOCK" boot --headless --accel "$accelerator" --timeout "$seconds" --screenshot "$results/$name.png" --memory 512 --cpus "$cpus" \
        --kernel "$kernel" --initrd "$initrd" --append "console=ttyS0 quiet" --serial stdio <"$work/to" >"$work/from" &
    local process=$!
    exec 7>"$work/to" 8<"$work/from"
    # The prompt ends no line, so what is read ends at its '#'.
    while IFS= read -r -d '#' -t "$seconds" line <&8; do
        printf '%s#' "$line"
        if [[ "$line" == *"$expected"* ]]; then seen=yes; fi
        if [ $seen = yes ] && [[ "$line" == *"/ " ]]; then break; fi
    done
    echo
    echo "$name: prompt after $((SECONDS - began)) s"
    printf 'echo $((6*7))$((6*7)); poweroff -f\n' >&7
    local rest status=0
    rest=$(cat <&8)
    printf '%s\n' "$rest"
    wait $process || status=$?
    [ $seen = yes ] || { echo "never said “$expected”"; exit 1; }
    [[ "$rest" == *4242* ]] || { echo "the shell did not answer"; exit 1; }
    [ $status = 0 ] || { echo "poweroff -f ended the process with $status instead of 0"; exit 1; }
}
