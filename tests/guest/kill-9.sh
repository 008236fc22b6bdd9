#!/usr/bin/env bash
# A guest writes records with fsync while its machine's process is killed, PADDOCK_KILLS times (4), at random moments
# (PADDOCK_SEED), also while snapshots are taken. Each time the images contradict nothing, each record that the guest was told
# is on its disk is there, and the machine starts from its snapshots again: from the first one, and from those taken among
# the writes, in which the guest goes on writing.
. "$(dirname "$0")/guest.sh"
. "$here/linux.inc.sh"
KILL_MACHINE=${KILL_MACHINE:-$house/build/release/tests/guest/kill_machine}
[ -x "$KILL_MACHINE" ] || skip "$KILL_MACHINE is not built"
command -v cc >/dev/null || skip "there is no C compiler for the guest's program"
kills=${PADDOCK_KILLS:-4}
RANDOM=${PADDOCK_SEED:-$((SECONDS + $$))}
patience=$((120 * ${PADDOCK_PATIENCE:-1}))

linux_guest
modules amd64 scsi/scsi_common scsi/scsi_mod scsi/sd_mod ata/libata ata/ata_piix
cc -O2 -static -o "$work/initrd/bin/records" "$here/records.c"
sed -i 's|^exec.*|for n in 1 2 3 4 5 6; do insmod_all; [ -e /dev/sda ] \&\& break; sleep 1; done\necho disk: $(ls /dev/sda)\n&|' "$work/initrd/init"
sed -i '2i insmod_all() { for m in /modules/*.ko; do insmod $m; done >/dev/null 2>\&1; }' "$work/initrd/init"
(cd "$work/initrd" && find . | cpio --quiet -o -H newc | gzip -1) >"$initrd"
disk=$work/disk.qcow2 snapshots=$work/snapshots
"$PADDOCK" disk create "$disk" --size 64M >/dev/null
failures=0

fails() {
    echo "FAILED in round $round, cache $cache_policy: $*"
    failures=$((failures + 1))
}

# begin [ID]: the machine runs as $machine, its disk through the host's cache or past it, is told things on descriptor 7, and what it says goes to $said
begin() {
    said=$work/said
    : >"$said"
    ((RANDOM % 2)) && cache_policy=none || cache_policy=writeback
    rm -f "$work/to"
    mkfifo "$work/to"
    "$KILL_MACHINE" run "$cache_policy" "$disk" "$snapshots" "$kernel" "$initrd" "$@" <"$work/to" >"$said" 2>"$work/trouble" &
    machine=$!
    exec 7>"$work/to"
}

# heard PATTERN: waits until it was said
heard() {
    local until=$((SECONDS + patience))
    until grep -aq -- "$1" "$said"; do
        kill -0 $machine 2>/dev/null || { echo "The machine has ended:"; cat "$work/trouble"; tail -n 5 "$said"; return 1; }
        ((SECONDS < until)) || { echo "It never said “$1”, but:"; tail -n 20 "$said"; return 1; }
        sleep 0.02
    done
}

# The number after the last “WORD …” that was said in a whole line.
last_acknowledged() { tr -d '\r' <"$said" | sed -n "s/^.*acknowledged \([0-9]*\) of $1\.\$/\1/p" | tail -n 1; }
nap() { sleep "$(printf '0.%03d' $((RANDOM % $1)))"; }
newest_layer() { stat -c '%w %n' "$snapshots"/*.qcow2 | sort | tail -n 1 | sed 's/.* //'; }

round=0
begin
heard 'disk: /dev/sda' && heard '/ #' || exit 1
echo '@snapshot ready' >&7
heard '@taken' || exit 1
ready=$(sed -n 's/^@taken //p' "$said" | head -n 1)
echo @off >&7
exec 7>&-
wait $machine

taken= seed=0 acknowledged_in_all=0 resumed=0 snapshots_in_all=0
for ((round = 1; round <= kills; ++round)); do
    touch "$work/round"
    if [ -n "$taken" ] && ((RANDOM % 3)); then
        begin "$taken"
        resumed=$((resumed + 1))
    else
        seed=$round
        begin "$ready"
        heard '@running' || { fails "it did not start from the first snapshot"; break; }
        echo "records write /dev/sda $seed" >&7
    fi
    heard "acknowledged .* of $seed\." || { fails "it did not come to write"; kill -9 $machine 2>/dev/null; taken=; continue; }
    nap 1000
    ((RANDOM % 2)) && echo "@snapshot round $round" >&7
    nap 700
    kill -9 $machine
    wait $machine 2>/dev/null || true
    exec 7>&-
    grep -a '^@failed' "$said" && fails "a snapshot was not taken"
    acknowledged=$(last_acknowledged $seed)
    acknowledged_in_all=$((acknowledged_in_all + acknowledged))
    taken=$(sed -n 's/^@taken //p' "$said" | tail -n 1)
    [ -z "$taken" ] || snapshots_in_all=$((snapshots_in_all + 1))
    for image in "$disk" $(find "$snapshots" -name '*.qcow2' -newer "$work/round"); do
        report=$("$PADDOCK" disk check --json "$image" 2>"$work/trouble" || true)
        grep -q '"corruptions": *0' <<<"$report" || fails "${image##*/}: $report $(cat "$work/trouble")"
    done
    "$KILL_MACHINE" read "$(newest_layer)" "$work" "$work/raw" || fails "the disk can't be read"
    "$work/initrd/bin/records" verify "$work/raw" $seed "$acknowledged" || fails "acknowledged records are lost"
    ((round % 10)) || echo "after $round kills: $acknowledged_in_all records acknowledged, $failures failures"
done
echo "$name: $kills kills, $acknowledged_in_all records acknowledged, $snapshots_in_all snapshots taken among them, $resumed rounds" \
    "went on from one, $failures failures, after $SECONDS s"
[ $failures = 0 ]
