# Snapshots under /dev/kvm of a guest without an operating system, which runs even where KVM runs none: how long it stands
# still, idle and while it writes its memory at a fixed rate, how long the whole takes, and how long going back and going on
# in a new process take. Beside it the same guest under the translator.
#
# MEMORY: sizes in MiB; COUNT: snapshots of each; RATES: MiB that the guest writes each second, 0 for an idle one; SPAN: MiB
# that it writes over and over; ACCELS: "kvm translator", or one of them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
house=$(cd "$here/../.." && pwd)
[ -w /dev/kvm ] || { echo "SKIPPED: /dev/kvm is missing or may not be used" >&2; exit 77; }
bench=$house/build/release/tests/snapshot_bench
cmake --build "$house/build/release" --target snapshot_bench >/dev/null
count=${COUNT:-100} span=${SPAN:-128}
mkdir -p "$house/build/bench"
scratch=$(mktemp -d "$house/build/bench/kvm_snapshot.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# firmware RATE: a directory with it
firmware() {
    local to=$scratch/firmware-$1
    mkdir -p "$to"
    cc -m32 -c -DRATE="$1" -DMIB="$span" -o "$to/guest.o" "$here/bare_writer.S"
    ld -m elf_i386 -Ttext 0 --oformat binary -e _start -o "$to/guest" "$to/guest.o"
    head -c 262144 /dev/zero >"$to/bios-256k.bin"
    dd if="$to/guest" of="$to/bios-256k.bin" bs=1 seek=$((262144 - 65536)) conv=notrunc status=none
    printf '\xea\x00\x00\x00\xf0' | dd of="$to/bios-256k.bin" bs=1 seek=$((262144 - 16)) conv=notrunc status=none
    { printf '\x55\xaa\x04'; head -c 2045 /dev/zero; } >"$to/vgabios-stdvga.bin"
    echo "$to"
}
value() { sed -n "s/^$2=//p" <<<"$1"; }
larger() { awk -v a="$1" -v b="$2" 'BEGIN { print (a > b ? a : b) }'; }

printf '%-11s %-7s %10s %10s %12s %12s %12s %12s %12s %14s %10s %12s %14s\n' accelerator memory "asked" "written" "stop p50" \
    "stop p99" "stop worst" "whole p50" "whole p99" "first" "second" "back, stop" "instruction"
worst=0 worst_writing=0 worst_back=0 worst_restore=0 details=
for memory in ${MEMORY:-512 2048}; do
    for rate in ${RATES:-0 200}; do
        files=$(firmware "$rate")
        for accel in ${ACCELS:-kvm translator}; do
            snapshots=$scratch/snapshots
            common=(--accel "$accel" --bare 1 --firmware "$files" --memory "$memory" --directory "$snapshots")
            taken=$("$bench" "${common[@]}" --count "$count" --writer "$rate" --back 1)
            again=$("$bench" "${common[@]}" --from "$(value "$taken" snapshot)")
            printf '%-11s %-7s %6s M/s %6s M/s %9s ms %9s ms %9s ms %9s ms %9s ms %10s KiB %10s %9s ms %11s ms\n' "$accel" "$memory" \
                "$rate" "$(value "$taken" writer_mib_per_second)" "$(value "$taken" pause_p50_ms)" "$(value "$taken" pause_p99_ms)" \
                "$(value "$taken" pause_worst_ms)" "$(value "$taken" whole_p50_ms)" "$(value "$taken" whole_p99_ms)" \
                $(($(value "$taken" first_snapshot_bytes) / 1024)) "$(value "$taken" second_snapshot_ratio)" \
                "$(value "$taken" going_back_stop_ms)" "$(value "$again" restore_first_instruction_ms)"
            rm -rf "$snapshots"
            [ $accel = kvm ] || continue
            for key in pause_p50_ms pause_p99_ms; do
                details+="kvm_${key}_${memory}_$rate=$(value "$taken" $key)"$'\n'
            done
            if [ "$rate" = 0 ]; then worst=$(larger "$worst" "$(value "$taken" pause_p99_ms)")
            else worst_writing=$(larger "$worst_writing" "$(value "$taken" pause_p99_ms)"); fi
            worst_back=$(larger "$worst_back" "$(value "$taken" going_back_stop_ms)")
            worst_restore=$(larger "$worst_restore" "$(value "$again" restore_first_instruction_ms)")
        done
    done
done
printf '%s' "$details"
echo "kvm_pause_p99_ms=$worst"
echo "kvm_pause_writing_p99_ms=$worst_writing"
echo "kvm_going_back_stop_ms=$worst_back"
echo "kvm_restore_first_instruction_ms=$worst_restore"
