#!/usr/bin/env bash
# Puts each fault of tests/model/bugs.toml into a copy of the tree, runs the model test there, and prints which seed
# caught it:  scripts/seeded_bugs.sh [NAME]...      all, or those whose names contain one of the words
#
# The copy and its build stay in target/seeded-bugs, so that a second run compiles only what a bug changes. A bug that
# is not caught makes the exit code 1. XB_SEEDS sets how many seeds are tried.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
export CARGO_TARGET_DIR=$root/target/seeded-bugs CARGO_INCREMENTAL=1 CARGO_TERM_COLOR=never RUST_BACKTRACE=0
tree=$CARGO_TARGET_DIR/tree
log=$CARGO_TARGET_DIR/last.log
mkdir -p "$tree"

# Copies what is new here, and nothing else: what keeps its time is not compiled again.
git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
    [ -f "$file" ] || continue
    cmp -s "$file" "$tree/$file" || { mkdir -p "$(dirname "$tree/$file")"; cp "$file" "$tree/$file"; touch "$tree/$file"; }
done

# Prints the names; or, with a name, puts that bug in and prints the file.
bug() {
    python3 - "$root" "$tree" "$@" <<'PYTHON'
import pathlib, sys, tomllib
root, tree = map(pathlib.Path, sys.argv[1:3])
bugs = tomllib.loads((root / "tests/model/bugs.toml").read_text())["bug"]
if len(sys.argv) == 3:
    for bug in bugs:
        print(("invisible" if bug.get("invisible") else "caught"), bug["name"], bug["file"], sep="\t")
else:
    bug = next(bug for bug in bugs if bug["name"] == sys.argv[3])
    text = (root / bug["file"]).read_text()
    assert text.count(bug["find"]) == 1, bug["name"]
    (tree / bug["file"]).write_text(text.replace(bug["find"], bug["replace"]))
PYTHON
}

# Building has all the time that it needs; a run has an end.
run_model() {
    (cd "$tree" && cargo test --locked --quiet --test model --no-run >"$log" 2>&1 &&
        timeout 600 cargo test --locked --quiet --test model -- --skip each_bug >"$log" 2>&1)
}

is_wanted() {
    local word name=$1
    shift
    [ $# -gt 0 ] || return 0
    for word; do case "$name" in *"$word"*) return 0 ;; esac; done
    return 1
}

run_model || { cat "$log"; echo "the model fails without any bug" >&2; exit 2; }
missed=0
echo "| Bug | Caught by |"
echo "|---|---|"
while IFS=$'\t' read -r must name file; do
    is_wanted "$name" "$@" || continue
    bug "$name"
    outcome=0
    run_model || outcome=$?
    cp "$file" "$tree/$file"
    touch "$tree/$file"
    # The lowest seed of each way of running.
    by=$(sed -n 's/^\(strict\|racing\) seed \([0-9]*\):.*/\1 \2/p' "$log" | sort -k1,1 -k2,2n | sort -su -k1,1 | paste -sd, |
        sed 's/,/, /')
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
done < <(bug)
exit $missed
