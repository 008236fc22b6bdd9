#!/usr/bin/env bash
# memtest86+ in 64-bit mode: the tests appear, count on, and find no error.
. "$(dirname "$0")/guest.sh"
packaged memtest86+ usr/lib/memtest86+/memtest86+x64.iso
boot 300 --memory 64 --cdrom "$image" --expect-screen 'Memtest86\+' --expect-screen 'Test #[2-9]' --expect-screen 'Errors: 0\b'
