#!/usr/bin/env bash
# The FreeDOS 1.3 installer, past its choice of a language, and out of it to the prompt.
. "$(dirname "$0")/guest.sh"
kept freedos13-floppy.img
boot 200 --memory 64 --floppy "$image" --expect-screen 'Do you want to proceed' --keys 'n<ret>' --expect-screen '^A:\\>'
