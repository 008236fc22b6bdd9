#!/usr/bin/env bash
# A machine is saved where its firmware waits and goes on there; another one is saved in the middle of a line at FreeDOS'
# prompt, and types on in a new process.
. "$(dirname "$0")/guest.sh"
. "$here/snapshot.inc.sh"
machine 64
start
shows 'No bootable device'
save
start
shows 'No bootable device'
"$PADDOCK" stop guest --force
"$PADDOCK" delete guest
kept freedos-1440.img
machine 64 "floppy=$image" boot_order=ac
start
shows '^A:\\>'
says 'ver' 'FreeCom version'
"$PADDOCK" type guest 'echo half'
save
start
says ' whole' '^half whole'
says 'dir' 'bytes free'
echo "$name: all met after $SECONDS s"
