#!/usr/bin/env bash
# The smoke scenario against the embedded router, Prosody and ejabberd, one after the other and again, as often as asked:
#     scripts/first_light.sh DIR [ROUNDS]
# DIR gets what each run printed, its result.json, and the machine. Without rosters on the foreign servers (they are
# not set up yet) presence goes to its sender only there, so their presence figures are not comparable with ours.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dir=${1:?usage: scripts/first_light.sh DIR [ROUNDS]}
rounds=${2:-3}
mkdir -p "$dir"

cargo build --release --locked --quiet
program=target/release/xmpp-bench
{
    "$program" --version
    git describe --always --dirty
    uname -sr
    grep -m1 'model name' /proc/cpuinfo
    echo "cores $(nproc), load average before: $(cut -d' ' -f1-3 /proc/loadavg)"
    echo "prosody $(scripts/peers/prosody.sh version), ejabberd $(scripts/peers/ejabberd.sh version)"
} >"$dir/machine.txt"

# Prints one JSON field of what a peer's script said.
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }

run() {
    local name=$1 round=$2
    shift 2
    local outcome=0
    "$program" scenarios/smoke.toml --quiet --out "$dir/$name-$round" "$@" >"$dir/$name-$round.txt" || outcome=$?
    echo "$name, round $round: exit $outcome: $(head -1 "$dir/$name-$round.txt")"
}

for ((round = 1; round <= rounds; round++)); do
    run embedded "$round"
    for peer in prosody ejabberd; do
        folder=$(mktemp -d)
        port=$("scripts/peers/$peer.sh" start "$folder" | field port)
        run "$peer" "$round" --target "xmpp://127.0.0.1:$port" \
            --set users.create=register
        "scripts/peers/$peer.sh" stop "$folder"
        rm -rf "$folder"
    done
done
