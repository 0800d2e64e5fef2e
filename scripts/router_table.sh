#!/usr/bin/env bash
# The routing table at a million accounts beside papaya and dashmap:  scripts/router_table.sh FOLDER [ROUNDS]
#
# Writes criterion's output of each round, and a table of their medians (CPU ns of one operation, on one thread) with what
# it was measured on. XB_ACCOUNTS sets another number of accounts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:?a folder for the result}
mkdir -p "$folder"
cargo bench --bench router --locked --no-run --quiet
loads=
for round in $(seq "${2:-3}"); do
    loads+="$(cut -d' ' -f1 /proc/loadavg) "
    cargo bench --bench router --locked --quiet -- --warm-up-time 1 --measurement-time 1.5 --sample-size 15 --noplot \
        --discard-baseline 'lookup|churn|decide' >"$folder/criterion-$round.txt"
done
python3 - "$folder" >"$folder/medians.md" <<'PYTHON'
import pathlib, re, sys
unit = {"ps": 1e-3, "ns": 1, "µs": 1e3, "ms": 1e6}
rows = {}
for file in sorted(pathlib.Path(sys.argv[1]).glob("criterion-*.txt")):
    for name, median, u in re.findall(r"^(\S.*?)\s+time:\s+\[\S+ \S+ (\S+) (\S+)", file.read_text(), re.M):
        rows.setdefault(name, []).append(float(median) * unit[u])
print("| CPU ns of one | median of each round |\n|---|---|")
for name, medians in rows.items():
    print(f"| {name} | {', '.join(f'{m:.0f}' for m in medians)} |")
PYTHON
{
    echo "Commit $(git rev-parse --short HEAD), $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1), $(nproc) cores," \
        "Linux $(uname -r), $(rustc --version | cut -d' ' -f1,2), load average before each round: $loads"
    echo
    cat "$folder/medians.md"
} >"$folder/README.md"
rm "$folder/medians.md"
cat "$folder/README.md"
