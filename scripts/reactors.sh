#!/usr/bin/env bash
# What several reactors cost and bring: the same chat load on `serve` with 1 and 2 reactors, in turn.
#     scripts/reactors.sh DIR [ROUNDS [RATE...]]
# DIR gets each run's result and output, and the CPU time that the router used while the run lasted. Router and harness
# share the machine's cores and are not pinned: on two cores two reactors compete with the harness, which is said here
# and must be said with any figure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dir=${1:?usage: scripts/reactors.sh DIR [ROUNDS [RATE...]]}
rounds=${2:-3}
shift $(($# < 2 ? $# : 2))
rates=("$@")
[ ${#rates[@]} -gt 0 ] || rates=(4000 20000)
mkdir -p "$dir"
cp scripts/reactors.toml "$dir/"

cargo build --release --locked --quiet
program=$PWD/target/release/xmpp-bench
{
    "$program" --version
    git describe --always --dirty
    uname -sr
    grep -m1 'model name' /proc/cpuinfo
    echo "cores $(nproc), load average before: $(cut -d' ' -f1-3 /proc/loadavg)"
} >"$dir/machine.txt"

work=$(mktemp -d)
router=
trap '[ -z "$router" ] || kill "$router" 2>/dev/null || true; rm -rf "$work"' EXIT
printf 'domain = "bench.local"\nlisten = "127.0.0.1:0"\nmechanisms = ["PLAIN"]\nscenario = "%s"\n' \
    "$PWD/scripts/reactors.toml" >"$work/serve.toml"

# User and system time of a process, in clock ticks.
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

run() {
    local reactors=$1 rate=$2 round=$3 name port before after outcome=0
    name=$reactors-reactors-$rate-$round
    mkfifo "$work/$name"
    "$program" serve "$work/serve.toml" --reactors "$reactors" >"$work/$name" 2>"$dir/$name.serve.txt" &
    router=$!
    port=$(sed -n 's/^listening on 127.0.0.1:\([0-9]*\).*/\1/p;q' "$work/$name")
    before=$(ticks "$router")
    "$program" scripts/reactors.toml --quiet --target "xmpp://127.0.0.1:$port" --out "$dir/$name" \
        --set phase.warm-up.do.chat.rate="$rate/s" --set phase.steady.do.chat.rate="$rate/s" \
        >"$dir/$name.txt" || outcome=$?
    after=$(ticks "$router")
    kill "$router"
    wait "$router" || true
    router=
    echo "$name: exit $outcome, router CPU $(((after - before) * 1000 / $(getconf CLK_TCK))) ms," \
        "$(grep -E '^steady +chat' "$dir/$name.txt")" | tee -a "$dir/summary.txt"
}

for ((round = 1; round <= rounds; round++)); do
    for rate in "${rates[@]}"; do
        for reactors in 1 2; do
            run "$reactors" "$rate" "$round"
        done
    done
done
