"""Puts all faults of a list into a tree at once, asleep; XB_BUG=number wakes one.

    seeded_bugs.py LIST TREE            changes the sources under TREE; prints a row for each bug
    seeded_bugs.py LIST TREE NUMBER     puts in this one, awake; prints its file

LIST is tests/model/bugs.toml, and a row is a number, a kind and a name; or tests/conformance/mutations.toml, and a row is a
number, a file and the tests that must notice. One build then serves all: the body of each function that has a bug is written once more for each bug. What is in no function
cannot be put in so; its number has a `-` before it.
"""

import pathlib
import re
import sys
import tomllib

WAKE = '''
/// Which seeded bug is awake (scripts/seeded_bugs.sh).
#[doc(hidden)]
#[must_use]
pub fn seeded_bug(number: usize) -> bool {
    static AWAKE: std::sync::OnceLock<Option<usize>> = std::sync::OnceLock::new();
    *AWAKE.get_or_init(|| std::env::var("XB_BUG").ok()?.parse().ok()) == Some(number)
}
'''
TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|b?r(?P<hash>#*)".*?"(?P=hash)|b?"(?:\\.|[^"\\])*"|b?\'(?:\\.[^\']*|[^\'\\])\'|[{}()\[\];]|\bfn\s+\w+',
    re.S,
)


def functions(text):
    """Places of `fn`, of the body's opening brace, and of its closing one."""
    found, open_braces, waiting, depth = [], [], None, 0
    for token in TOKEN.finditer(text):
        word = token.group()
        if word.startswith("fn"):
            waiting, depth = token.start(), 0
        elif word in "([" and waiting is not None:
            depth += 1
        elif word in ")]" and waiting is not None:
            depth -= 1
        elif word == ";" and depth == 0:
            waiting = None
        elif word == "{":
            open_braces.append((waiting, token.start()))
            waiting = None
        elif word == "}":
            start, brace = open_braces.pop()
            if start is not None:
                found.append((start, brace, token.start()))
    return found


def put_in(text, bugs):
    """The text with these (number, find, replace) asleep in it, and the numbers that found a place."""
    bodies, done = {}, []
    for number, find, replace in bugs:
        at = text.index(find)
        around = [f for f in functions(text) if f[1] < at and at + len(find) <= f[2]]
        if not around:
            continue
        start, brace, end = max(around)
        body = text[brace : end + 1]
        bodies.setdefault((start, brace, end), []).append((number, body.replace(find, replace)))
        done.append(number)
    # A function inside of another one that has a bug as well would be written twice.
    for (start, brace, end), versions in sorted(bodies.items(), reverse=True):
        chain = "".join(f"if crate::seeded_bug({number}) {body} else " for number, body in versions)
        text = text[:brace] + "{ " + chain + text[brace : end + 1] + " }" + text[end + 1 :]
        head = re.search(r"const\s+$", text[:start])
        if head:
            text = text[: head.start()] + text[start:]
    return text, done


def described(bug):
    """What a row says of it."""
    if "tests" in bug:
        return bug["file"], " ".join(bug["tests"])
    return "invisible" if bug.get("invisible") else "caught", bug["name"]


def main():
    [bugs] = tomllib.loads(pathlib.Path(sys.argv[1]).read_text()).values()
    tree = pathlib.Path(sys.argv[2])
    if len(sys.argv) > 3:
        bug = bugs[int(sys.argv[3])]
        path = tree / bug["file"]
        path.write_text(path.read_text().replace(bug["find"], bug["replace"]))
        return print(bug["file"])
    by_file, done = {}, set()
    for number, bug in enumerate(bugs):
        by_file.setdefault(bug["file"], []).append((number, bug["find"], bug["replace"]))
    for file, wanted in by_file.items():
        path = tree / file
        text, numbers = put_in(path.read_text(), wanted)
        path.write_text(text)
        done.update(numbers)
    lib = tree / "src/lib.rs"
    lib.write_text(lib.read_text() + WAKE)
    for number, bug in enumerate(bugs):
        print(f"{'' if number in done else '-'}{number}", *described(bug), sep="\t")


main()
