#!/usr/bin/env bash
# iPXE from its CD and as a kernel: it looks for network devices, finds none, and hands back to the firmware.
. "$(dirname "$0")/guest.sh"
packaged ipxe usr/lib/ipxe/ipxe.iso
boot 120 --memory 64 --cdrom "$image" --expect-screen 'Open Source Network Boot Firmware' --expect-screen 'No more network devices'
packaged ipxe boot/ipxe.lkrn
boot 120 --memory 64 --kernel "$image" --expect-screen 'Open Source Network Boot Firmware' --expect-screen 'No more network devices'
