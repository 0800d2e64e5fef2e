#!/usr/bin/env bash
# Starts Prosody in a folder of its own, as the other end of a test or of a comparison. See docs/peers.md.
#
# It does not touch the system's Prosody: own configuration, own data, own port on 127.0.0.1, no daemon.
set -u
# shellcheck source=scripts/peers/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
readonly peer=prosody

peer_require() {
    command -v prosody >/dev/null || peer_fail "prosody is not installed (Debian: apt-get install prosody)" 69
}

peer_version() {
    # Not "prosodyctl about": it reads the system's configuration, which only root may.
    local folder
    folder=$(sed -n "s/^CFG_SOURCEDIR='\(.*\)';*$/\1/p" "$(command -v prosody)")
    cat "$folder/prosody.version" 2>/dev/null || echo unknown
}

peer_ready() { :; }   # one thread: what listens has loaded its modules, and the accounts are files

peer_configure() {
    local registration=true module='' limited=''
    if [ "$limits" = shipped ]; then
        registration=false module='"limits"' limited='limits = { c2s = { rate = "10kb/s" } }'
    fi
    cat >"$dir/prosody.cfg.lua" <<EOF
-- The default collector stops the world; beating it would flatter.
gc = { mode = "generational" }
run_as_root = true
pidfile = "$dir/prosody.pid"
data_path = "$dir/data"
log = { warn = "$dir/prosody.log" }

interfaces = { "127.0.0.1" }
c2s_ports = { $port }
s2s_ports = { }
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
storage = "internal"
allow_registration = $registration

-- No "register_limits", no "tls"; "limits" only where it is asked for.
modules_enabled = {
  "roster", "saslauth", "disco", "version", "time", "ping", "register", "private", "vcard_legacy",
  "blocklist", "carbons", "smacks", $module
}
modules_disabled = { "s2s", "tls" }
$limited

VirtualHost "$domain"
Component "conference.$domain" "muc"
EOF
    # The folder that Prosody gives the domain: everything but letters and digits is percent-encoded.
    local host accounts
    host=$(printf '%s' "$domain" | sed 's/-/%2d/g; s/\./%2e/g' | tr 'A-Z' 'a-z')
    accounts=$dir/data/$host/accounts
    mkdir -p "$accounts"
    awk -v n="$users" -v accounts="$accounts" 'BEGIN {
        for (i = 0; i < n; i++) {
            file = sprintf("%s/u%06d.dat", accounts, i)
            printf "return { [\"password\"] = \"p%d\"; };\n", i > file
            close(file)
        }
    }'
}

peer_exec() {
    exec "$@" prosody -F --config "$dir/prosody.cfg.lua"
}

peer_main "$@"
