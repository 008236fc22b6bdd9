# Snapshots of a Debian kernel with a busybox shell, under the translator: how long the guest stands still, how long the
# whole takes, what the second one weighs, and how soon a new process runs the next instruction. Beside them QEMU's savevm
# and loadvm of the same guest, where QEMU is installed.
#
# MEMORY: sizes in MiB; COUNT: snapshots of each, idle and while the guest writes WRITER MiB of its memory each second
# (WRITER=0: idle alone).
# KERNEL and INITRD: a guest that comes to a shell on ttyS0, in place of Debian's.
PADDOCK=/bin/true    # guest.sh wants a program; this benchmark has its own
. "$(dirname "${BASH_SOURCE[0]}")/../guest/guest.sh"
. "$here/linux.inc.sh"

bench=$house/build/release/tests/snapshot_bench
# Also one that is there: an older one would leave the newer figures out.
cmake --build "$house/build/release" --target snapshot_bench >/dev/null
if [ -n "${KERNEL:-}" ]; then
    kernel=$KERNEL initrd=$INITRD
else
    linux_guest
    cc -O2 -static -o "$work/initrd/bin/memory_writer" "$(dirname "${BASH_SOURCE[0]}")/memory_writer.c"
    (cd "$work/initrd" && find . | cpio --quiet -o -H newc | gzip -1) >"$initrd"
fi
count=${COUNT:-100} writer=${WRITER:-200}
mkdir -p "$house/build/bench"
scratch=$(mktemp -d "$house/build/bench/snapshot.XXXXXX")
trap 'rm -rf "$work" "$scratch"' EXIT

# value FIGURES KEY
value() {
    local figure
    figure=$(sed -n "s/^$2=//p" <<<"$1")
    [ -n "$figure" ] || echo "$name: the benchmark gave no $2" >&2
    echo "${figure:--}"
}

# qemu_row MEMORY: the monitor's answers to savevm and loadvm, in milliseconds
qemu_row() {
    command -v qemu-system-x86_64 >/dev/null && command -v qemu-img >/dev/null || { echo "- -"; return; }
    qemu-img create -q -f qcow2 "$scratch/state.qcow2" 8G
    mkfifo "$scratch/monitor.in" "$scratch/monitor.out" 2>/dev/null || true
    qemu-system-x86_64 -accel tcg -m "$1" -display none -no-reboot -kernel "$kernel" -initrd "$initrd" -append "console=ttyS0 quiet" \
        -serial "file:$scratch/serial" -drive "if=virtio,format=qcow2,file=$scratch/state.qcow2" -monitor "pipe:$scratch/monitor" &
    local process=$! began
    exec 5>"$scratch/monitor.in" 6<"$scratch/monitor.out"
    for _ in $(seq 300); do grep -q '# ' "$scratch/serial" 2>/dev/null && break; sleep 1; done
    local times=()
    for command in "savevm one" "savevm two" "loadvm two"; do
        began=$(date +%s%N)
        printf '%s\ninfo status\n' "$command" >&5
        while IFS= read -r -t 120 line <&6; do [[ $line == *"VM status"* ]] && break; done
        times+=($((($(date +%s%N) - began) / 1000000)))
    done
    printf 'quit\n' >&5
    wait $process || true
    exec 5>&- 6<&-
    echo "${times[1]} ${times[2]}"
}

# beside MEMORY DIRECTORY SNAPSHOT: what a new process makes of the last snapshot there, and QEMU of the same guest
beside() {
    local restored save load
    restored=$("$bench" --kernel "$kernel" --initrd "$initrd" --memory "$1" --directory "$2" --from "$3")
    read -r save load <<<"$(qemu_row "$1")"
    printf ' %11s ms %11s ms %9s ms %9s ms\n' "$(value "$restored" restore_first_instruction_ms)" \
        "$(value "$restored" restore_first_frame_ms)" "$save" "$load"
    worst_restore=$(larger "$worst_restore" "$(value "$restored" restore_first_instruction_ms)")
}

printf '%-8s %-7s %12s %12s %12s %12s %12s %14s %10s %14s %14s %12s %12s\n' memory guest "stop p50" "stop p99" "stop worst" \
    "whole p50" "whole p99" "first" "second" "instruction" "first frame" "qemu save" "qemu load"
worst_pause=0 worst_writing=0 worst_restore=0 worst_ratio=0 worst_back=0 details=
larger() { awk -v a="$1" -v b="$2" 'BEGIN { print (a > b ? a : b) }'; }
for memory in ${MEMORY:-512 2048}; do
    for guest in idle writing; do
        [ $guest = idle ] && rate=0 || rate=$writer
        [ $guest = idle ] || [ "$rate" != 0 ] || continue
        directory=$scratch/$memory-$guest
        mkdir "$directory"
        taken=$("$bench" --kernel "$kernel" --initrd "$initrd" --memory "$memory" --count "$count" --writer "$rate" --back 1 \
            --directory "$directory/snapshots")
        printf '%-8s %-7s %9s ms %9s ms %9s ms %9s ms %9s ms %10s KiB %10s' "$memory" $guest "$(value "$taken" pause_p50_ms)" \
            "$(value "$taken" pause_p99_ms)" "$(value "$taken" pause_worst_ms)" "$(value "$taken" whole_p50_ms)" \
            "$(value "$taken" whole_p99_ms)" $(($(value "$taken" first_snapshot_bytes) / 1024)) \
            "$(value "$taken" second_snapshot_ratio)"
        worst_back=$(larger "$worst_back" "$(value "$taken" going_back_stop_ms)")
        details+="pause_p50_ms_${memory}_$guest=$(value "$taken" pause_p50_ms)"$'\n'
        details+="pause_p99_ms_${memory}_$guest=$(value "$taken" pause_p99_ms)"$'\n'
        details+="going_back_stop_ms_${memory}_$guest=$(value "$taken" going_back_stop_ms)"$'\n'
        if [ $guest = idle ]; then
            worst_pause=$(larger "$worst_pause" "$(value "$taken" pause_p99_ms)")
            worst_ratio=$(larger "$worst_ratio" "$(value "$taken" second_snapshot_ratio)")
            beside "$memory" "$directory/snapshots" "$(value "$taken" snapshot)"
        else
            worst_writing=$(larger "$worst_writing" "$(value "$taken" pause_p99_ms)")
            echo "   ($(value "$taken" writer_mib_per_second) MiB/s written)"
        fi
        rm -rf "$directory"
    done
done
printf '%s' "$details"
echo "pause_p99_ms=$worst_pause"
[ "$writer" = 0 ] || echo "pause_writing_p99_ms=$worst_writing"
echo "going_back_stop_ms=$worst_back"
echo "restore_first_instruction_ms=$worst_restore"
echo "second_snapshot_ratio=$worst_ratio"
