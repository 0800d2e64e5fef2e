#!/bin/sh
# Runs each fuzz target under libFuzzer for some seconds: scripts/fuzz.sh [SECONDS] [TARGET]...
# What is found goes to fuzz/artifacts/; what is new and worth keeping goes to fuzz/corpus/ under a telling name.
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- framer escape

if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "cargo-fuzz is missing: cargo install cargo-fuzz" >&2
    exit 2
fi
# The sanitizer needs unstable flags: a nightly compiler, or RUSTC_BOOTSTRAP=1 with a stable one.
toolchain=
if [ "${RUSTC_BOOTSTRAP:-}" != 1 ]; then
    if ! cargo +nightly --version >/dev/null 2>&1; then
        echo "a nightly compiler is missing: rustup toolchain install nightly, or set RUSTC_BOOTSTRAP=1" >&2
        exit 2
    fi
    toolchain=+nightly
fi

for target; do
    # Findings are collected in a folder of their own, so that the corpus in git stays small and named.
    new=fuzz/target/corpus/$target
    mkdir -p "$new"
    cargo $toolchain fuzz run "$target" "$new" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -print_final_stats=1
done
