#!/usr/bin/env bash
# Starts ejabberd in a folder of its own, as the other end of a test or of a comparison. See docs/peers.md.
#
# It does not touch the system's ejabberd and needs neither ejabberdctl nor the user "ejabberd": the Erlang
# machine is started directly and without a node name. So there is no epmd to leave behind, no cookie and no
# distribution port, and any number of them run side by side.
set -u
# shellcheck source=scripts/peers/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
readonly peer=ejabberd

# The folder that holds ejabberd-VERSION/ebin and the libraries of Debian's Erlang packages.
peer_libraries() {
    local ebin
    for ebin in /usr/lib/*/ejabberd-*/ebin/ejabberd.app; do
        [ -f "$ebin" ] && dirname "$(dirname "$(dirname "$ebin")")" && return 0
    done
    return 1
}

peer_require() {
    command -v erl >/dev/null && peer_libraries >/dev/null ||
        peer_fail "ejabberd is not installed (Debian: apt-get install ejabberd)" 69
}

peer_version() {
    sed -n 's/.*{vsn, *"\([^"]*\)".*/\1/p' "$(peer_libraries)"/ejabberd-*/ebin/ejabberd.app | head -n 1
}

peer_ready() { [ -e "$dir/ready" ]; }

peer_configure() {
    mkdir -p "$dir/spool"
    local registration='registration_timeout: infinity' shaper='' shaped=''
    if [ "$limits" = shipped ]; then
        registration='registration_timeout: 600'
        shaper=$'shaper:\n  normal: {rate: 3000, burst_size: 20000}\nshaper_rules:\n  c2s_shaper: normal'
        shaped='shaper: c2s_shaper'
    fi
    cat >"$dir/ejabberd.yml" <<EOF
hosts: ["$domain"]
loglevel: warning
# In clear, as Prosody's: a login then costs the server no PBKDF2.
auth_method: [internal]
auth_password_format: plain
disable_sasl_mechanisms: ["DIGEST-MD5", "X-OAUTH2"]
acme:
  auto: false
$registration
# Unless limits are asked for no listener and no rule names a shaper: nothing is slowed down.
$shaper
listen:
  -
    ip: "127.0.0.1"
    port: $port
    module: ejabberd_c2s
    access: all
    backlog: 1024
    $shaped
modules:
  mod_blocking: {}
  mod_carboncopy: {}
  mod_disco: {}
  mod_last: {}
  mod_muc: {}
  mod_offline: {}
  mod_ping: {}
  mod_privacy: {}
  mod_private: {}
  mod_register: {}
  mod_roster: {}
  mod_stream_mgmt: {}
  mod_time: {}
  mod_vcard: {}
  mod_version: {}
EOF
    # Runs inside the machine once ejabberd is up; the file "ready" says that every account exists.
    cat >"$dir/accounts.erl" <<EOF
{ok, _} = application:ensure_all_started(ejabberd).
lists:foreach(fun(N) ->
    User = iolist_to_binary(io_lib:format("u~6..0w", [N])),
    Password = iolist_to_binary(io_lib:format("p~w", [N])),
    case ejabberd_auth:try_register(User, <<"$domain">>, Password) of
        ok -> ok;
        {error, exists} -> ok
    end
end, lists:seq(0, $users - 1)).
file:write_file("$dir/ready", <<>>).
EOF
}

# One scheduler for each pinned core, and none of them spins for work that is not there.
peer_schedulers() {
    [ -n "$cpus" ] || return 0
    local count
    count=$(taskset -c "$cpus" nproc) || exit 1
    echo "+S $count:$count +SDcpu $count:$count +sbwt none +sbwtdcpu none +sbwtdio none"
}

peer_exec() {
    export ERL_LIBS EJABBERD_CONFIG_PATH=$dir/ejabberd.yml EJABBERD_LOG_PATH=$dir/ejabberd.log
    export ERL_CRASH_DUMP=$dir/erl_crash.dump ERL_MAX_PORTS
    ERL_LIBS=$(peer_libraries)
    ERL_MAX_PORTS=$(ulimit -n)
    # HOME: Erlang insists on one, and a service user may have none.
    export HOME=${HOME:-$dir}
    # shellcheck disable=SC2046  # a list of flags
    exec "$@" erl -noinput +P 250000 $(peer_schedulers) \
        -mnesia dir "\"$dir/spool\"" -s ejabberd \
        -eval "{ok, _} = application:ensure_all_started(ejabberd), ok = file:eval(\"$dir/accounts.erl\")."
}

peer_main "$@"
