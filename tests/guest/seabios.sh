#!/usr/bin/env bash
# The firmware alone: no disk, no disc.
. "$(dirname "$0")/guest.sh"
boot 60 --memory 64 --expect-screen 'SeaBIOS' --expect-screen 'No bootable device'
