#!/usr/bin/env bash
# The block layer beside `qemu-img bench` on the same qcow2 image of 1 GiB, in turns: 4 KiB requests a stride apart and 1 MiB
# requests in sequence through the host's cache, and 4 KiB requests past it (the rows of the cache policy “none”). A table of medians, then `key=value` lines; a ratio above 1 is faster than QEMU.
#
#     tests/bench/run block        ROUNDS=5 COUNT=40000 DEPTH=16 AIO=threads
set -euo pipefail
house=$(cd "$(dirname "$0")/../.." && pwd)
command -v qemu-img >/dev/null || { echo "SKIPPED: qemu-img (package qemu-utils) is not installed"; exit 77; }
bench=$house/build/release/tests/block_bench
cmake --build "$house/build/release" --target block_bench >/dev/null
rounds=${ROUNDS:-5} count=${COUNT:-40000} depth=${DEPTH:-16} aio=${AIO:-threads}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/paddock-bench-XXXXXX")
trap 'rm -rf "$work"' EXIT
image=$work/disk.qcow2
qemu-img create -q -f qcow2 "$image" 1G
qemu-img bench -q -f qcow2 -w -c 1024 -s 1M -d 1 "$image" >/dev/null

# one ROW OPERATION BYTES DEPTH COUNT STEP [CACHE]
one() {
    local row=$1 operation=$2 bytes=$3 deep=$4 times=$5 step=$6 cache=${7:-writeback} flag=
    [ "$operation" = read ] || flag=-w
    echo "$row paddock $("$bench" "$image" qcow2 "$operation" "$bytes" "$deep" "$times" "$step" "$cache")" >>"$work/figures"
    echo "$row qemu $(qemu-img bench -f qcow2 $flag -i "$aio" -t "$cache" -s "$bytes" -d "$deep" -c "$times" -S "$step" "$image" |
        sed -n 's/^Run completed in \([0-9.]*\) seconds.*/\1/p')" >>"$work/figures"
}
for ((round = 0; round < rounds; ++round)); do
    one read_4k read 4096 "$depth" "$count" 1232896
    one write_4k write 4096 "$depth" "$count" 1232896
    one read_4k_alone read 4096 1 $((count / 4)) 1232896
    one write_4k_alone write 4096 1 $((count / 4)) 1232896
    one read_1m read 1048576 4 2048 1048576
    one write_1m write 1048576 4 1024 1048576
    one read_4k_none read 4096 "$depth" $((count / 8)) 1232896 none
    one write_4k_none write 4096 "$depth" $((count / 8)) 1232896 none
done
awk -v count="$count" '
BEGIN { n = split("read_4k write_4k read_4k_alone write_4k_alone read_1m write_1m read_4k_none write_4k_none", rows, " ")
        number["read_4k_none"] = number["write_4k_none"] = int(count / 8)
        number["read_4k"] = number["write_4k"] = count; number["read_4k_alone"] = number["write_4k_alone"] = int(count / 4)
        number["read_1m"] = 2048; number["write_1m"] = 1024 }
function median(key, x, m, i, j, t) {
    m = split(times[key], x, " ")
    for (i = 2; i <= m; ++i)
        for (j = i; j > 1 && x[j] + 0 < x[j - 1] + 0; --j) { t = x[j]; x[j] = x[j - 1]; x[j - 1] = t }
    return x[int((m + 1) / 2)]
}
{ times[$1 " " $2] = times[$1 " " $2] " " $3 }
END {
    print "| | Paddock, per second | qemu-img bench, per second | ratio |\n|---|---|---|---|"
    for (i = 1; i <= n; ++i) {
        ours = number[rows[i]] / median(rows[i] " paddock"); theirs = number[rows[i]] / median(rows[i] " qemu")
        printf "| %s | %.0f | %.0f | %.2f |\n", rows[i], ours, theirs, ours / theirs
        ratios = ratios sprintf("%s_ratio=%.2f\n", rows[i], ours / theirs)
    }
    printf "\n%s", ratios
}' "$work/figures"
