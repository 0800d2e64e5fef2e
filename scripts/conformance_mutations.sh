#!/usr/bin/env bash
# Puts each fault of tests/conformance/mutations.toml into a copy of the tree, runs the suite there, and prints which of
# the named tests noticed:  scripts/conformance_mutations.sh [WORD]...      all, or those with a test or file like a word
#
# The copy and its build stay in target/conformance-mutations, so that a second run compiles only what a fault changes. A
# test that did not notice its fault makes the exit code 1. A test that waits for what does not come waits 4 s here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
export CARGO_TARGET_DIR=$root/target/conformance-mutations CARGO_INCREMENTAL=1 CARGO_TERM_COLOR=never RUST_BACKTRACE=0
export XB_CONFORMANCE_WAIT_S=4
tree=$CARGO_TARGET_DIR/tree
log=$CARGO_TARGET_DIR/last.log
mkdir -p "$tree"

# Copies what is new here, and nothing else: what keeps its time is not compiled again.
git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
    [ -f "$file" ] || continue
    cmp -s "$file" "$tree/$file" || { mkdir -p "$(dirname "$tree/$file")"; cp "$file" "$tree/$file"; touch "$tree/$file"; }
done

# The list as it stands now: it may be edited while this runs for an hour.
cp tests/conformance/mutations.toml "$CARGO_TARGET_DIR/list.toml"

# Prints number and file of each fault; or, with a number, puts that one in; or, with a log too, what noticed it.
fault() {
    python3 - "$root" "$tree" "$@" <<'PYTHON'
import pathlib, re, sys, tomllib
root, tree = map(pathlib.Path, sys.argv[1:3])
faults = tomllib.loads((tree.parent / "list.toml").read_text())["mutation"]
if len(sys.argv) == 3:
    for number, fault in enumerate(faults):
        print(number, fault["file"], " ".join(fault["tests"]), sep="\t")
    sys.exit()
fault = faults[int(sys.argv[3])]
if len(sys.argv) == 4:
    text = (tree / fault["file"]).read_text()
    assert text.count(fault["find"]) == 1, fault["find"]
    (tree / fault["file"]).write_text(text.replace(fault["find"], fault["replace"]))
    sys.exit()
log = pathlib.Path(sys.argv[4]).read_text()
outcomes = dict(re.findall(r"^test (\S+) \.\.\. (ok|FAILED)$", log, re.M))
wanted = [t for t in outcomes if any(t == n or n.endswith("::") and t.startswith(n) for n in fault["tests"])]
silent = [t for t in wanted if outcomes[t] == "ok"]
compiles = "could not compile" not in log
print("DOES NOT COMPILE" if not compiles else "A RUN THAT DOES NOT END" if not outcomes else
      f"{len(wanted) - len(silent)} of {len(wanted)} noticed" + "".join(f"; NOT {t}" for t in silent))
sys.exit(1 if silent or not outcomes else 0)
PYTHON
}

# Only the run is timed: a build takes as long as the machine lets it.
run_suite() {
    (cd "$tree" && cargo test --locked --quiet --test conformance --no-run >"$log" 2>&1 &&
        timeout 300 cargo test --locked --quiet --test conformance -- --format pretty --test-threads 8 \
            --skip page:: --skip mutations:: --skip element:: >"$log" 2>&1)
}

is_wanted() {
    local word row=$1
    shift
    [ $# -gt 0 ] || return 0
    for word; do case "$row" in *"$word"*) return 0 ;; esac; done
    return 1
}

run_suite || { grep -a "FAILED\|error" "$log" >&2 || true; echo "the suite fails without any fault" >&2; exit 2; }
missed=0
echo "| File | Tests | |"
echo "|---|---|---|"
while IFS=$'\t' read -r number file tests; do
    is_wanted "$file $tests" "$@" || continue
    cp "$tree/$file" "$tree/$file.sound"
    fault "$number"
    run_suite || true
    mv "$tree/$file.sound" "$tree/$file"
    touch "$tree/$file"
    said=$(fault "$number" "$log") || missed=1
    echo "| $file | $tests | $said |"
done < <(fault)
exit $missed
