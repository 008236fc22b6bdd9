#!/usr/bin/env bash
# FreeDOS from a floppy, to its prompt and back.
. "$(dirname "$0")/guest.sh"
kept freedos-1440.img
boot 120 --memory 64 --floppy "$image" --expect-screen '^A:\\>' --keys 'ver<ret>' --expect-screen "FreeCom version"
