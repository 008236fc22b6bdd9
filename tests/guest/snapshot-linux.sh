#!/usr/bin/env bash
# A machine with Linux is gone back to a snapshot while it runs, is saved at its prompt and goes on in a new process, and
# begins with the snapshot in a third one.
. "$(dirname "$0")/guest.sh"
. "$here/linux.inc.sh"
. "$here/snapshot.inc.sh"
linux_guest
machine 256 "kernel=$kernel" "initrd=$initrd" append=quiet
start
shows '^/ #'
says 'clear; n=1; echo is=$n' 'is=1'
"$PADDOCK" snapshot guest take first
says 'clear; n=2; echo is=$n' 'is=2'
"$PADDOCK" snapshot guest restore first
says 'clear; echo was=$n' 'was=1'
# Linux has heard that another may go on from there with the same random numbers.
says 'clear; dmesg | grep -c "due to virtual machine fork" | sed s/^/forks=/' 'forks=1'
says 'clear; n=3; echo is=$n' 'is=3'
save
start
says 'clear; echo was=$n' 'was=3'
says 'clear; dmesg | grep -c "due to virtual machine fork" | sed s/^/forks=/' 'forks=1'
"$PADDOCK" stop guest --force
start --from first
says 'clear; echo was=$n' 'was=1'
"$PADDOCK" snapshot guest list
"$PADDOCK" snapshot guest list --json | grep -q '"first"'
echo "$name: all met after $SECONDS s"
