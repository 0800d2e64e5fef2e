#!/usr/bin/env bash
# Homes beside connections that stay where they were accepted and beside locked outboxes:  scripts/exchange.sh FOLDER [ROUNDS]
#
# Writes the table with the figures of each round, and what it was measured on, to FOLDER/README.md. Two cores at least;
# XB_SECONDS and XB_RATE set the length of one run and the open load.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:?a folder for the result}
mkdir -p "$folder"
cargo bench --bench exchange --locked --no-run --quiet
{
    echo "# Homes, connections that stay, locked outboxes"
    echo
    echo "Commit $(git rev-parse --short HEAD), $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1), $(nproc) cores," \
        "Linux $(uname -r), $(rustc --version | cut -d' ' -f1,2), load average before: $(cut -d' ' -f1-3 /proc/loadavg)."
    echo "Command: \`XB_SECONDS=${XB_SECONDS:-3} XB_RATE=${XB_RATE:-10000} scripts/exchange.sh FOLDER ${2:-3}\`." \
        "1,000 connections, messages of 180 bytes to random users, figures of each round."
    echo
    XB_ROUNDS=${2:-3} cargo bench --bench exchange --locked --quiet
} >"$folder/README.md"
cat "$folder/README.md"
