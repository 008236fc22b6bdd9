#!/usr/bin/env bash
# The firmware on KVM's own memory slots, interrupts and exits.
. "$(dirname "$0")/guest.sh"
[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip "/dev/kvm is missing or may not be opened"
accelerator=kvm
boot 120 --memory 64 --expect-screen 'No bootable device'
