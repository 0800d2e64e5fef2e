#!/usr/bin/env bash
# The main job beside two other servers, one after the other and again, as often as asked:
#
#     scripts/presence.sh DIR [ROUNDS [USERS [word for `run`...]]]
#
# runs scenarios/10k_presence.toml with USERS users (1,000) against the embedded router, Prosody and ejabberd. Every server
# gets core 0 and the harness core 1, as the embedded router does by itself on two cores. The foreign servers register the
# accounts and make the roster graph in the first round; the rounds after it find them there. DIR gets what each run printed,
# its result, and the machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dir=${1:?usage: scripts/presence.sh DIR [ROUNDS [USERS [word...]]]}
rounds=${2:-3}
users=${3:-1000}
shift "$(($# < 3 ? $# : 3))"
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
    echo "command: scripts/presence.sh DIR $rounds $users $*"
} >"$dir/machine.txt"

# Prints one JSON field of what a peer's script said.
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }

run() {
    local name=$1 outcome=0
    shift
    "$@" >"$dir/$name.txt" 2>"$dir/$name.log" || outcome=$?
    echo "$name: exit $outcome: $(head -1 "$dir/$name.txt")"
}

folders=$(mktemp -d)
trap 'for peer in prosody ejabberd; do scripts/peers/$peer.sh stop "$folders/$peer" 2>/dev/null || true; done; rm -rf "$folders"' EXIT
for ((round = 1; round <= rounds; round++)); do
    run "embedded-$round" "$program" run scenarios/10k_presence.toml --out "$dir/embedded-$round" \
        --set users.count="$users" "$@"
    for peer in prosody ejabberd; do
        port=$("scripts/peers/$peer.sh" start "$folders/$peer" --cpus 0 | field port)
        run "$peer-$round" taskset -c 1 "$program" run scenarios/10k_presence.toml --out "$dir/$peer-$round" \
            --target "xmpp://127.0.0.1:$port" --set users.create=register --set users.count="$users" "$@"
        "scripts/peers/$peer.sh" stop "$folders/$peer"
    done
done
