#!/usr/bin/env bash
# Asks our server, Prosody and ejabberd what docs/conformance.md states, and writes their answers into its last columns:
#   scripts/conformance.sh                all three
#   scripts/conformance.sh ours prosody   only these; the other columns stay
#
# A peer that fails a test is no failure of this script; our server is held to them by `cargo test`. A test that needs
# settings of our own (own_settings::) is not asked of peers. Each run has four minutes at most.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_COLOR=never RUST_BACKTRACE=0
[ $# -gt 0 ] || set -- ours prosody ejabberd
readonly logs=target/conformance
mkdir -p "$logs"

cargo test --locked --quiet --test conformance --no-run
for name in "$@"; do
    case $name in
        ours) only=() version=$(git describe --always --dirty) ;;
        prosody|ejabberd) only=(--skip own_settings::) version=$(scripts/peers/"$name".sh version) || continue ;;
        *) echo "no server \`$name\`; there is: ours prosody ejabberd" >&2; exit 2 ;;
    esac
    outcome=0
    XB_CONFORMANCE_TARGET=$name timeout 240 cargo test --locked --quiet --test conformance -- \
        --format pretty --test-threads 8 --skip page:: --skip mutations:: --skip element:: "${only[@]}" \
        >"$logs/$name.log" 2>&1 || outcome=$?
    [ "$outcome" != 124 ] || echo "$name: not done after four minutes; what is missing stays empty" >&2
    python3 - "$name" "$version" "$logs/$name.log" <<'PYTHON'
import pathlib, re, sys
name, version, log = sys.argv[1:]
answers = dict(re.findall(r"^test (\S+) \.\.\. (ok|FAILED)$", pathlib.Path(log).read_text(), re.M))
page = pathlib.Path("docs/conformance.md")
column = {"ours": 5, "prosody": 6, "ejabberd": 7}[name]
title = {"ours": "Ours", "prosody": "Prosody", "ejabberd": "ejabberd"}[name]
lines, counts = [], {"yes": 0, "no": 0}
for line in page.read_text().split("\n"):
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    if line.startswith("| ") and len(cells) == 8 and cells[0] != "Id":
        tests = [test.strip("`") for test in cells[3].split(", ") if test]
        known = [answers[test] for test in tests if test in answers]
        cells[column] = "" if not known else "yes" if all(a == "ok" for a in known) else "no"
        if cells[column]:
            counts[cells[column]] += 1
        line = "| " + " | ".join(cells) + " |"
    lines.append(line)
said = f"- {title} ({version}): {counts['yes']} yes, {counts['no']} no"
text = "\n".join(lines)
before, rest = text.split("<!-- asked -->\n", 1)
asked, after = rest.split("<!-- /asked -->", 1)
asked = [old for old in asked.split("\n") if old and not old.startswith(f"- {title} ")] + [said]
order = ["- Ours", "- Prosody", "- ejabberd"]
asked.sort(key=lambda entry: [entry.startswith(o) for o in order].index(True))
page.write_text(before + "<!-- asked -->\n" + "\n".join(asked) + "\n<!-- /asked -->" + after)
print(said[2:])
PYTHON
done
