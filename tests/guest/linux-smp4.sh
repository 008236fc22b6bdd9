#!/usr/bin/env bash
# Debian's kernel on four processors.
. "$(dirname "$0")/guest.sh"
. "$here/linux.inc.sh"
linux_guest
converse 600 4 'processors: 4'
