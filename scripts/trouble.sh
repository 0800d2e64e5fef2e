#!/usr/bin/env bash
# What a run says when something goes wrong in the middle of it:
#
#     scripts/trouble.sh OUT [SCENARIO [words for `run`...]]
#
# runs SCENARIO (10k_presence) five times against the embedded router, one after the other: undisturbed; with the router
# killed; with the router stopped for two seconds; with the router, then the harness, starved of its core for ten
# seconds (it gets the lowest priority, and a loop with the usual one its core). Each run leaves its result in a folder
# of OUT and one line on stdout: what was done, the exit code, the verdict. The phase that is disturbed is `steady`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly out=${1:?say where the results go: scripts/trouble.sh OUT}
readonly scenario=${2:-scenarios/10k_presence.toml}
readonly program=${XB_PROGRAM:-target/release/xmpp-bench}
shift; [ $# = 0 ] || shift

[ -x "$program" ] || cargo build --release --locked
mkdir -p "$out"

# Runs until it is in its steady phase, is disturbed by function $1, and ends.
run() {
    local trouble=$1 outcome=0; shift
    "$program" run "$scenario" --out "$out/$trouble" "$@" >"$out/$trouble.txt" 2>"$out/$trouble.log" &
    harness=$!
    until grep -qs "^steady" "$out/$trouble.log"; do
        kill -0 "$harness" 2>/dev/null || break
        sleep 0.2
    done
    router=$(cat "/proc/$harness/task/$harness/children" 2>/dev/null) || true
    router=${router%% *}
    "$trouble"
    wait "$harness" || outcome=$?
    printf '%-16s exit %-3s %s\n' "$trouble" "$outcome" "$(head -n 1 "$out/$trouble.txt")"
}

undisturbed() { :; }
killed() { kill -KILL "$router"; }
paused() { kill -STOP "$router"; sleep 2; kill -CONT "$router"; }
router_starved() { starve "$router"; }
harness_starved() { starve "$harness"; }

# Ten seconds in which process $1 gets about a hundredth of each core that it may use.
starve() {
    local core hog hogs=() task cores
    # Pinned threads may have other cores than their process.
    cores=$(for task in "/proc/$1/task/"*; do taskset -pc "${task##*/}" | sed 's/.*: //'; done | sort -u | paste -sd,)
    for task in "/proc/$1/task/"*; do renice 19 -p "${task##*/}" >/dev/null; done
    for core in $(expand_cores "$cores"); do
        taskset -c "$core" timeout 10 sh -c 'while :; do :; done' &
        hogs+=($!)
    done
    for hog in "${hogs[@]}"; do wait "$hog" || true; done
}

# 0-2,5 -> 0 1 2 5
expand_cores() {
    local part
    for part in ${1//,/ }; do seq "${part%-*}" "${part#*-}"; done | sort -nu
}

run undisturbed "$@"
run killed "$@"
run paused "$@"
run router_starved "$@"
run harness_starved "$@"
