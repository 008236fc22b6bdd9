#!/usr/bin/env bash
# The firmware and FreeDOS with all host code checked against the interpreter. PADDOCK_ACCEL=lockstep does so with any guest
# of one processor, given PADDOCK_PATIENCE=20.
. "$(dirname "$0")/guest.sh"
accelerator=lockstep
kept freedos-1440.img
boot 120 --memory 64 --floppy "$image" --expect-screen '^A:\\>' --keys 'ver<ret>' --expect-screen "FreeCom version"
