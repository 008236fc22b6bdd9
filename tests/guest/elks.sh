#!/usr/bin/env bash
# A Linux for the 8086, to its prompt.
. "$(dirname "$0")/guest.sh"
kept elks-fd1440.img
boot 180 --memory 64 --floppy "$image" --expect-screen '^#$' --keys 'echo eight6<ret>' --expect-screen '^eight6'
