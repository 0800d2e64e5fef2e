#!/usr/bin/env bash
# Wakes each fault of tests/conformance/mutations.toml in a copy of our server, asks it the tests that the fault names, and
# prints whether they noticed:  scripts/conformance_mutations.sh [WORD]...      all, or those with a test or file like a word
#
# All faults are in one build, asleep (scripts/seeded_bugs.py); those few that are in no function have a build each. The copy
# and its build stay in target/conformance-mutations. A test that did not notice its fault makes the exit code 1. A test that
# waits for what does not come waits 4 s here, and the server has few accounts, so that it starts at once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/faults.sh conformance-mutations tests/conformance/mutations.toml

# Prints the path of the built suite.
build() {
    (cd "$tree" && cargo test --locked --test conformance --no-run) </dev/null >"$log" 2>&1 || return 1
    sed -n 's|^ *Executable tests/conformance/main.rs (\(.*\))$|\1|p' "$log"
}

# Asks these tests, exactly, with a fault awake; few tests need few accounts.
ask() {
    local fault=$1 accounts=$2
    shift 2
    (cd "$tree" && XB_BUG=$fault XB_CONFORMANCE_WAIT_S=4 XB_CONFORMANCE_USERS=$accounts timeout 300 "$suite" \
        --format pretty --test-threads 8 --exact "$@") </dev/null >"$log" 2>&1
}

# The tests that these names mean: one that ends with `::` means all of its module.
tests_of() {
    local name
    for name; do
        case $name in *::) grep "^$name" "$list.tests" ;; *) echo "$name" ;; esac
    done
}

# What the last run says of these tests.
judge() {
    local test silent=
    for test; do
        grep -q "^test $test \.\.\. FAILED$" "$log" || silent+=" $test"
    done
    if grep -q "the server did not start" "$log"; then
        echo "THE SERVER DOES NOT START"
    elif [ -n "$silent" ]; then
        echo "NOT NOTICED:$silent"
    elif grep -q "panicked at src/" "$log"; then
        echo "noticed: the server panics"
    else
        echo noticed
    fi
}

put_faults_in
suite=$(build) || { cat "$log" >&2; echo "not all faults compile" >&2; exit 2; }
"$suite" --list 2>/dev/null | sed -n 's/: test$//p' >"$list.tests"
mapfile -t named < <(cut -f3 "$list" | tr ' ' '\n' | sort -u)
mapfile -t named < <(tests_of "${named[@]}")
ask none 1500 "${named[@]}" || { cat "$log" >&2; echo "the suite fails without any fault" >&2; exit 2; }
missed=0
rows=0
echo "| File | Tests | |"
echo "|---|---|---|"
while IFS=$'\t' read -r number file tests; do
    is_wanted "$file $tests" "$@" || continue
    # shellcheck disable=SC2086 # names without white space
    mapfile -t named < <(tests_of $tests)
    case $number in -*) put_one_in "$number"; suite=$(build) || suite= ;; esac
    if [ -z "$suite" ]; then
        said="DOES NOT COMPILE"
    else
        ask "$number" 200 "${named[@]}" || true
        said=$(judge "${named[@]}")
    fi
    rows=$((rows + 1))
    [[ $said = noticed* ]] || missed=$((missed + 1))
    echo "| $file | $tests | $said |"
done <"$list"
echo "$((rows - missed)) of $rows faults noticed by every test that they name" >&2
[ "$missed" = 0 ]
