#!/usr/bin/env bash
# memtest86+ in 32-bit mode with PAE: the tests count on, and find no error.
. "$(dirname "$0")/guest.sh"
packaged memtest86+ usr/lib/memtest86+/memtest86+ia32.iso
boot 300 --memory 64 --cdrom "$image" --expect-screen 'Memtest86\+' --expect-screen 'Test #[2-9]' --expect-screen 'Errors: 0\b'
