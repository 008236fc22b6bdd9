#!/usr/bin/env bash
# GRUB's rescue CD, to its prompt or menu.
. "$(dirname "$0")/guest.sh"
packaged grub-rescue-pc usr/lib/grub-rescue/grub-rescue-cdrom.iso
boot 240 --memory 128 --cdrom "$image" --expect-screen 'GNU GRUB|grub>' --keys 'c' --expect-screen '^grub>' --keys 'echo eight6<ret>' --expect-screen '^eight6'
