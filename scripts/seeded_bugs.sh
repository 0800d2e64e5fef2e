#!/usr/bin/env bash
# Puts the faults of tests/model/bugs.toml into a copy of the tree, runs the model test there with each, and prints which
# seed caught it:  scripts/seeded_bugs.sh [NAME]...      all, or those whose names contain one of the words
#
# All faults are in one build, asleep (scripts/seeded_bugs.py); those few that are in no function have a build each. The copy
# and its build stay in target/seeded-bugs. A bug that is not caught makes the exit code 1. XB_SEEDS sets how many seeds are
# tried.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/faults.sh seeded-bugs tests/model/bugs.toml

# Building has all the time that it needs; a run has an end.
run_model() {
    (cd "$tree" && cargo test --locked --quiet --test model --no-run >"$log" 2>&1 &&
        XB_BUG=$1 timeout 600 cargo test --locked --quiet --test model -- --skip each_bug >"$log" 2>&1)
}

put_faults_in
run_model none || { cat "$log"; echo "the model fails without any bug" >&2; exit 2; }
missed=0
echo "| Bug | Caught by |"
echo "|---|---|"
while IFS=$'\t' read -r number must name; do
    is_wanted "$name" "$@" || continue
    case "$number" in -*) put_one_in "$number" ;; esac
    outcome=0
    run_model "$number" || outcome=$?
    # The lowest seed of each way of running.
    by=$(sed -n 's/^\(strict\|racing\|crash\|resumption\) seed \([0-9]*\):.*/\1 \2/p' "$log" | sort -k1,1 -k2,2n | sort -su -k1,1 | paste -sd, |
        sed 's/,/, /g')
    if grep -q '^error: could not compile' "$log"; then
        by="DOES NOT COMPILE"
        missed=1
    elif [ "$outcome" = 124 ]; then
        by="a run that does not end"
    elif [ "$outcome" != 0 ]; then
        by=${by:-a crash}
    elif [ "$must" = invisible ]; then
        by="(must not be seen)"
    else
        by=MISSED
        missed=1
    fi
    [ "$must" = caught ] || [ "$outcome" = 0 ] || { by="$by, AND MUST NOT BE SEEN"; missed=1; }
    echo "| $name | $by |"
done <"$list"
exit $missed
