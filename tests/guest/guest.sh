# Sourced by the guest tests: where guests come from, and how they are booted.
# A test ends with 0, or with 77 (skipped) when its guest cannot be had; the reason stands on its last line.
# PADDOCK names the program, PADDOCK_ACCEL the accelerator (translator), PADDOCK_PATIENCE multiplies the time-outs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
house=$(cd "$here/../.." && pwd)
PADDOCK=${PADDOCK:-$house/build/release/paddock}
accelerator=${PADDOCK_ACCEL:-translator}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/paddock-guests
results=${PADDOCK_RESULTS:-$house/build/release/guests}
name=$(basename "$0" .sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache" "$results"

skip() {
    echo "SKIPPED: $*"
    exit 77
}

[ -x "$PADDOCK" ] || skip "$PADDOCK is not built"

# kept NAME: a copy of a free disk image that lies beside the repository, for this test alone
kept() {
    local from=${PADDOCK_GUESTS:-$house/../shared/guests}/$1
    [ -r "$from" ] || skip "the image $1 is not in ${from%/*}"
    cp "$from" "$work/$1"
    chmod u+w "$work/$1"
    image=$work/$1
}

# packaged PACKAGE PATH [MEMBERS [PLACE]]: a file of a Debian package, which is downloaded and unpacked, never installed; only
# MEMBERS of it where a pattern is given, under the name PLACE
packaged() {
    local package=$1 path=$2 place=${4:-$1}
    exec 9>"$cache/$place.lock"
    flock 9
    if [ ! -e "$cache/$place" ]; then
        local part
        part=$(mktemp -d "$cache/$place.XXXXXX")
        (cd "$part" && apt-get -q download "$package" >download.log 2>&1) ||
            { tail -n 2 "$part/download.log"; rm -rf "$part"; skip "Debian's package $package cannot be downloaded"; }
        dpkg-deb --fsys-tarfile "$part"/*.deb | tar -x -C "$part" ${3:+--wildcards "$3"}
        rm -f "$part"/*.deb "$part/download.log"
        mv "$part" "$cache/$place"
    fi
    exec 9>&-
    local found=("$cache/$place"/$path)
    [ -r "${found[0]}" ] || skip "Debian's package $package holds no $path"
    image=${found[0]}
}

# boot SECONDS OPTIONS…: the machine's screen at the end is left in $results
boot() {
    local seconds=$(($1 * ${PADDOCK_PATIENCE:-1}))
    shift
    local began=$SECONDS
    "$PADDOCK" boot --headless --accel "$accelerator" --timeout "$seconds" --screenshot "$results/$name.png" "$@"
    echo "$name: all met after $((SECONDS - began)) s"
}
