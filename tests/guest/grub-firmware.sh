#!/usr/bin/env bash
# GRUB in the place of the BIOS, which sets the VGA up itself: to its menu and its prompt.
. "$(dirname "$0")/guest.sh"
packaged grub-firmware-qemu usr/share/qemu/grub.bin
boot 120 --memory 256 --firmware "$image" --expect-screen 'GNU GRUB' --keys 'c' --expect-screen '^grub>' --keys 'echo eight6<ret>' --expect-screen '^eight6'
