#!/usr/bin/env bash
# GRUB from a floppy, to its menu and its prompt.
. "$(dirname "$0")/guest.sh"
packaged grub-rescue-pc usr/lib/grub-rescue/grub-rescue-floppy.img
boot 240 --memory 64 --floppy "$image" --expect-screen 'GNU GRUB' --keys 'c' --expect-screen '^grub>' --keys 'echo eight6<ret>' --expect-screen '^eight6'
