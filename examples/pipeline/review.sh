#!/bin/sh
# Validates the plan, checks a wave, plans and seals it, and leaves what people review in ./review.
#
#   review.sh WAVE
#
# OPSOLE    the program; `opsole` where it isn't set
# SEAL_KEY  the key file that seals, listed in the plan with `role: sealer`; the folder's own key where it isn't set
set -eu
wave=${1:?usage: review.sh WAVE}
opsole=${OPSOLE:-opsole}
mkdir -p review

"$opsole" validate

# 0: ready. 10: ready, with warnings. 9: something blocks; the review shows what, and this script ends with 9.
checked=0
"$opsole" check --wave "$wave" --format junit >review/check.xml || checked=$?
case $checked in 0 | 9 | 10) ;; *) exit "$checked" ;; esac

"$opsole" plan --wave "$wave" --out "review/$wave.opsole" ${SEAL_KEY:+--key "$SEAL_KEY"}

"$opsole" show "review/$wave.opsole" --format markdown >review/plan.md
"$opsole" show "review/$wave.opsole" --format html >review/plan.html
"$opsole" show "review/$wave.opsole" --output json >review/plan.json

# A second policy engine may read review/plan.json here, such as
#   opa eval --fail-defined --data policy.rego --input review/plan.json 'data.opsole.deny[_]'

if [ "$checked" = 9 ]; then
    echo "check: something blocks; see review/check.xml and review/plan.md" >&2
    exit 9
fi
