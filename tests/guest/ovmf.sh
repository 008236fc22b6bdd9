#!/usr/bin/env bash
# UEFI firmware: it starts the CD's boot loader, and with nothing to start its own shell, which answers the keyboard.
. "$(dirname "$0")/guest.sh"
packaged memtest86+ usr/lib/memtest86+/memtest86+x64.iso
disc=$image
packaged ovmf usr/share/ovmf/OVMF.fd
# memtest86+ brings its own letters; some of them are not read from the picture.
boot 120 --memory 256 --firmware "$image" --cdrom "$disc" --expect-serial 'starting Boot' --expect-screen 'est86\+' --expect-screen 'Errors:'
boot 120 --memory 256 --firmware "$image" --expect-serial 'Shell> ' --keys 'echo eight6<ret>' --expect-serial '\neight6' --expect-serial 'Shell> '
