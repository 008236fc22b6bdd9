#!/usr/bin/env bash
# The list of snapshots at the machine's side and the film strip, worked by mouse and keyboard while FreeDOS runs: take, name,
# go back, branch, rename, delete, undo, and close by saving. Pictures of each step are left in $PADDOCK_RESULTS where
# ImageMagick is there.
[ -n "${INSIDE_XVFB:-}" ] || {
    command -v xvfb-run >/dev/null && command -v xdotool >/dev/null || { echo "SKIPPED: xvfb or xdotool is not installed"; exit 77; }
    INSIDE_XVFB=1 exec xvfb-run -a -s '-screen 0 1600x1200x24' "$0"
}
. "$(dirname "$0")/guest.sh"
. "$here/snapshot.inc.sh"
export XDG_CONFIG_HOME=$work/config XDG_CACHE_HOME=$work/cache LC_ALL=C.UTF-8 QT_XCB_NO_XI2=1

# list FILTER: what a Python expression over the snapshots `s` says
list() { "$PADDOCK" snapshot guest list --json | python3 -c "import json,sys; s=json.load(sys.stdin); s=s.get('snapshots', s) if isinstance(s, dict) else s; print($1)"; }
# until_so EXPRESSION: waits until it says True
until_so() {
    local until=$((SECONDS + patience))
    until [ "$(list "$1")" = True ]; do
        ((SECONDS < until)) || { echo "It never came true: $1"; "$PADDOCK" snapshot guest list; picture failed; exit 1; }
        sleep 0.3
    done
}
named() { echo "'$1' in [x['name'] for x in s]"; }
picture() { ! command -v import >/dev/null || import -window root "$results/$name-$1.png"; }
keys() { xdotool key --clearmodifiers "$@"; sleep 0.5; }
text() { xdotool type --delay 60 "$1"; }
# row N: the middle of the list's Nth row, counted from 0
row() {
    eval "$(xdotool getwindowgeometry --shell "$window")"
    xdotool mousemove $((X + WIDTH - 100)) $((Y + 122 + 62 * $1))
    sleep 0.3
}
take() {
    keys ctrl+alt+n
    text "$1"
    keys Return
    until_so "$(named "$1")"
}

kept freedos-1440.img
machine 64 "floppy=$image" boot_order=ac
start_with_window() {
    "$PADDOCK" run guest &
    process=$!
    shows '^A:\\>'
    window=$(xdotool search --onlyvisible --name '^guest' | tail -n 1)
    xdotool windowmove "$window" 20 20
    xdotool windowfocus "$window"
    sleep 1
}
start_with_window
keys ctrl+alt+h
picture 1-empty
take first
text 'echo later'
keys Return
shows '^later'
take second
picture 2-two
row 0
xdotool click --repeat 2 --delay 80 1
until_so "'Kept before going back to “first”' in [x['note'] for x in s]"
until screen | grep -q 'A:' && ! screen | grep -q '^later'; do sleep 0.3; done
picture 3-back
keys Escape
take third
picture 4-branch
row 1
xdotool click 1
keys F2
text 'renamed'
keys Return
until_so "$(named renamed)"
row 1
xdotool click 1
keys Delete
until_so "not ($(named renamed))"
picture 5-deleted
keys ctrl+z
until_so "$(named renamed)"
row 1
xdotool click --repeat 2 --delay 80 1
shows '^later'
sleep 1
picture 6-renamed

# The film strip lies below the screen.
eval "$(xdotool getwindowgeometry --shell "$window")"
xdotool mousemove $((X + 50)) $((Y + HEIGHT - 80))
sleep 1
picture 7-film-strip
before=$(list 'len(s)')
xdotool click 1
until_so "len(s) > $before"

row 0
xdotool click 1
keys alt+m
picture 8-menu
keys c
wait "$process"
"$PADDOCK" snapshot guest list
start_with_window
picture 9-again
"$PADDOCK" save guest
wait "$process"
echo "$name: all met after $SECONDS s"
