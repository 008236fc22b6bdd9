#!/usr/bin/env bash
# Debian's kernel on one processor: prompt on the serial port, power-off ends the process.
. "$(dirname "$0")/guest.sh"
. "$here/linux.inc.sh"
linux_guest
converse 240 1 'processors: 1'
