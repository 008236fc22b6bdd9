#!/usr/bin/env bash
# UEFI firmware in flash: a variable set in its shell is there after the machine was switched off, in both sizes that Debian has.
. "$(dirname "$0")/guest.sh"
variable='Paddock -guid 11111111-2222-3333-4444-555555555555'
for size in _4M ''; do
    packaged ovmf "usr/share/OVMF/OVMF_VARS$size.fd"
    packaged ovmf "usr/share/OVMF/OVMF_CODE$size.fd"
    flash=(--memory 256 --firmware "$image" --firmware-variables "$work/variables$size.fd")
    boot 120 "${flash[@]}" --expect-serial 'Shell> ' --keys "setvar $variable -bs -rt -nv =0xc0ffee<ret>" --expect-serial 'Shell> '
    boot 120 "${flash[@]}" --expect-serial 'Shell> ' --keys "setvar $variable<ret>" --expect-serial 'EE FF C0'
done
