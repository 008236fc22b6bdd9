#!/usr/bin/env bash
# The CD of Debian's text installer: boot menu, arrow keys, Enter, the choice of a language.
. "$(dirname "$0")/guest.sh"
[ -n "${PADDOCK_SLOW_GUESTS:-}" ] || skip "it takes minutes; PADDOCK_SLOW_GUESTS=1 runs it"
maker=${PADDOCK_GUESTS:-$house/../shared/guests}/make-debian-iso
[ -x "$maker" ] || skip "make-debian-iso is not in ${maker%/*}"
command -v xorriso >/dev/null || skip "xorriso is not installed"
# On a frame buffer the installer writes in a font of its own, which --expect-screen does not know.
iso=$cache/debian-text-vga.iso
exec 9>"$cache/debian-text.lock"
flock 9
if [ ! -r "$iso" ]; then
    "$maker" "$work/debian.iso" text 'vga=normal fb=false' || skip "the installer's packages cannot be downloaded"
    mv "$work/debian.iso" "$iso"
fi
exec 9>&-
boot 900 --memory 1024 --cdrom "$iso" --expect-screen 'Debian GNU/Linux installer (boot )?menu|Install' \
    --keys '<down><up><ret>' --expect-screen 'Select a language|Choose the language' --keys '<down><down><up>' --expect-screen 'English'
