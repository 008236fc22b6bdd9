#!/usr/bin/env bash
# MikeOS: Enter opens the list of programs.
. "$(dirname "$0")/guest.sh"
kept mikeos.flp
boot 120 --memory 64 --floppy "$image" --expect-screen 'MikeOS' --keys '<ret>' --expect-screen 'KERNEL\.BIN'
