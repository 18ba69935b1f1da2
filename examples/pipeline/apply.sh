#!/bin/sh
# Applies a sealed and approved plan, and leaves the change record in ./review.
#
#   apply.sh WAVE
#
# OPSOLE  the program; `opsole` where it isn't set
set -eu
wave=${1:?usage: apply.sh WAVE}
opsole=${OPSOLE:-opsole}

# The record is written also of a wave that stopped; the exit code is the run's.
applied=0
"$opsole" apply "review/$wave.opsole" --yes || applied=$?
# 11: refused before anything began, so there is nothing to report.
[ "$applied" = 11 ] && exit 11

"$opsole" report last --format markdown >review/report.md
"$opsole" report last --format csv >review/report.csv
"$opsole" audit verify
exit "$applied"
