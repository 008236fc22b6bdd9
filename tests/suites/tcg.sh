#!/usr/bin/env bash
# The programs of QEMU's tests/tcg on this host and in a guest.
#
#     tests/suites/tcg.sh FOLDER        ROUNDS=12
#
# FOLDER holds them, linked statically, for example as x86_64/NAME and i386/NAME.
. "$(dirname "$0")/suite.inc.sh"

linux_guest
append=vsyscall=emulate compare_programs "${1:?the folder of the built programs}" 3072 "${ROUNDS:-12}" 20
