#!/usr/bin/env bash
# Debian's kernel for clouds, which has few drivers and is quick: prompt on the serial port, power-off ends the process.
. "$(dirname "$0")/guest.sh"
. "$here/linux.inc.sh"
linux_guest cloud-amd64
converse 240 1 'processors: 1'
