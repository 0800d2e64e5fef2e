# Sourced with NAME and LIST: a copy of the tree in target/NAME whose one build has all faults of LIST, asleep, for XB_BUG to
# wake (scripts/seeded_bugs.py). The caller stands at the root of the tree. What the copy's build leaves stays there.
export CARGO_TARGET_DIR=$PWD/target/$1 CARGO_INCREMENTAL=1 CARGO_TERM_COLOR=never RUST_BACKTRACE=0
tree=$CARGO_TARGET_DIR/tree
list=$CARGO_TARGET_DIR/list
log=$CARGO_TARGET_DIR/last.log
staged=$CARGO_TARGET_DIR/staged
mkdir -p "$tree"

# As it stands now: it may be edited while this runs.
cp "$2" "$list.toml"

# Makes the copy a sound one with faults in it: all of them, or one. Only what is then different from what was there is
# written: what keeps its time is not compiled again.
copy_with_faults() {
    local file
    rm -rf "$staged"
    mkdir "$staged"
    git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
        [ ! -f "$file" ] || printf '%s\0' "$file"
    done | xargs -0 cp --parents -t "$staged"
    python3 scripts/seeded_bugs.py "$list.toml" "$staged" "$@"
    (cd "$staged" && find . -type f -print0) | while IFS= read -r -d '' file; do
        cmp -s "$staged/$file" "$tree/$file" ||
            { mkdir -p "$(dirname "$tree/$file")"; cp "$staged/$file" "$tree/$file"; }
    done
}

# Puts all faults to sleep in the copy and writes the list of them; those with a build of their own come last.
put_faults_in() {
    copy_with_faults >"$list.all"
    { grep -v '^-' "$list.all"; grep '^-' "$list.all" || true; } >"$list"
}

# Puts one that cannot sleep into the copy: awake, and alone.
put_one_in() {
    copy_with_faults "${1#-}" >/dev/null
}

# Whether a row is asked for: no words, or one that is in it.
is_wanted() {
    local word row=$1
    shift
    [ $# -gt 0 ] || return 0
    for word; do case "$row" in *"$word"*) return 0 ;; esac; done
    return 1
}
