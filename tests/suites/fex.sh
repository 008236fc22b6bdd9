#!/usr/bin/env bash
# FEX's 64- and 32-bit instruction tests on this host and in a guest.
#
#     tests/suites/fex.sh FOLDER        ROUNDS=100
#
# FOLDER holds unittests/ of a build of FEX: each test's NAME.bin and NAME.config.bin, however deep. Each body is run ROUNDS times
# from the same state, so that the translator has it long before the end. Tests of what the processor lacks are skipped.
. "$(dirname "$0")/suite.inc.sh"

folder=${1:?the folder of FEX\'s built tests}
rounds=${ROUNDS:-100}
linux_guest
cc -O2 -static-pie -fno-stack-protector -fcf-protection=none -o "$work/initrd/bin/fex_runner" "$suites/fex_runner.c"
mkdir -p "$work/initrd/fex"
(cd "$folder" && find . -name '*.config.bin' | sed 's,^\./,,; s,\.config\.bin$,,' | LC_ALL=C sort) >"$work/initrd/fex/list"
[ -s "$work/initrd/fex/list" ] || skip "$folder holds no *.config.bin"
(cd "$folder" && sed 's/.*/&.bin\n&.config.bin/' "$work/initrd/fex/list" | cpio --quiet -pdm "$work/initrd/fex")

"$work/initrd/bin/fex_runner" "$work/initrd/fex" "$rounds" <"$work/initrd/fex/list" >"$work/native"
in_guest 1800 1 1024 "fex_runner /fex $rounds </fex/list" >"$work/guest" || broken=1
judge "$work/native" "$work/guest"
exit ${broken:-0}
