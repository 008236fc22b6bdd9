#!/usr/bin/env bash
# GRUB's image for USB sticks as a hard disk, to its menu and its prompt, which lists that disk.
. "$(dirname "$0")/guest.sh"
packaged grub-rescue-pc usr/lib/grub-rescue/grub-rescue-usb.img
cp "$image" "$work/disk.img"
boot 240 --memory 64 --disk "$work/disk.img" --expect-screen 'GNU GRUB|^grub>' --keys 'c' --expect-screen '^grub>' --keys 'ls<ret>' --expect-screen '\(hd0\)'
