# Shared by prosody.sh and ejabberd.sh: arguments, a free port, readiness, the end. Sourced, not run.
#
# It knows no server. Each script provides three functions:
#   peer_require       exits 69 with one line when the server is not installed
#   peer_configure     writes the configuration and the accounts below $dir
#   peer_exec          replaces the process by the server, in the foreground
#
# Nothing here finds a process by name: what was started is what is in $dir/pid.

readonly peer_wait_s=60        # polled every 50 ms; ejabberd needs 3 s on an idle machine and 2 ms for each account
readonly peer_stop_s=20        # after that the server is killed
readonly peer_port_min=10000   # below the range from which the kernel gives out client ports, so that
readonly peer_port_max=32000   # no connection of a load run can sit on the port that we found free

peer_usage() {
    cat >&2 <<EOF
usage: $0 start DIR [option]...   start in the background, print one line of JSON when it is ready
       $0 run DIR [option]...     the same, and stop when standard input ends (so it dies with its parent)
       $0 stop DIR                stop what was started in DIR; the files stay
       $0 version                 print the version
options of start and run:
  --domain NAME    the domain served                                       (bench.local)
  --users N        make the accounts u000000 … with passwords p0 …         (0)
  --port PORT      a fixed port                                            (a free one)
  --limits shipped rate limits and registration as the packages ship them  (none, open)
  --cpus LIST      pin to these cores, one scheduler for each, no spinning (all cores)
exit codes: 0 done · 1 the server failed · 2 usage · 69 it is not installed
EOF
    exit 2
}

peer_fail() {
    echo "$peer: $1" >&2
    exit "${2:-1}"
}

peer_main() {
    command=${1:-}
    case $command in
        version) peer_require; peer_version; exit 0 ;;
        start|run|stop) [ $# -ge 2 ] || peer_usage ;;
        *) peer_usage ;;
    esac
    dir=$2
    shift 2
    domain=bench.local users=0 port='' cpus='' limits=none
    while [ $# -gt 0 ]; do
        [ $# -ge 2 ] || peer_usage
        case $1 in
            --domain) domain=$2 ;;
            --users) users=$2 ;;
            --port) port=$2 ;;
            --cpus) cpus=$2 ;;
            --limits) limits=$2 ;;
            *) peer_usage ;;
        esac
        shift 2
    done
    # Names go into configuration files: what could end a quoted string there is refused here.
    case $domain in ''|*[!A-Za-z0-9.-]*) peer_fail "not a domain: $domain" 2 ;; esac
    case $users in ''|*[!0-9]*) peer_fail "not a number of users: $users" 2 ;; esac
    case $port in *[!0-9]*) peer_fail "not a port: $port" 2 ;; esac
    case $limits in none|shipped) ;; *) peer_fail "not none or shipped: $limits" 2 ;; esac
    case $cpus in *[!0-9,-]*) peer_fail "not a list of cores: $cpus" 2 ;; esac

    case $command in
        stop) peer_stop ;;
        start) peer_start ;;
        run)
            peer_require
            # Armed first: an interrupt while the server starts must not leave it behind.
            trap peer_stop EXIT
            trap 'exit 130' INT
            trap 'exit 143' TERM HUP
            peer_start
            # No IFS= here: a trap that fires during the read would run with it.
            while read -r _; do :; done
            ;;
    esac
}

peer_start() {
    peer_require
    mkdir -p "$dir" || exit 1
    dir=$(cd "$dir" && pwd -P)
    case $dir in *[\"\\\']*) peer_fail "quotes in the folder's name: $dir" 2 ;; esac
    peer_alive && peer_fail "already running in $dir (pid $(cut -d' ' -f1 "$dir/pid"))"
    rm -f "$dir/pid" "$dir/ready"

    local attempt tries=5
    [ -n "$port" ] && tries=1
    for attempt in $(seq "$tries"); do
        [ "$tries" = 1 ] || port=$(peer_free_port)
        peer_configure
        peer_spawn
        if peer_wait; then
            peer_describe | tee "$dir/peer.json"
            return 0
        fi
        peer_stop
    done
    tail -n 20 "$dir/out" >&2
    peer_fail "did not come up in $dir on port $port (see $dir/out)"
}

# A port that nobody listens on. Another process may take it before the server does: peer_wait notices,
# because it looks for a socket of the server and not for an answer, and peer_start tries another.
peer_free_port() {
    local candidate
    while :; do
        candidate=$((peer_port_min + RANDOM % (peer_port_max - peer_port_min)))
        [ -n "$(peer_listener_inode "$candidate")" ] || break
    done
    echo "$candidate"
}

peer_listener_inode() {
    local want sl local_address remote state tx tr retrnsmt uid timeout inode rest
    printf -v want ':%04X' "$1"
    while read -r sl local_address remote state tx tr retrnsmt uid timeout inode rest; do
        # 0A is LISTEN.
        [ "$state" = 0A ] && [ "${local_address: -5}" = "$want" ] && echo "$inode"
    done < <(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)
}

peer_spawn() {
    local launcher=()
    [ -n "$cpus" ] && launcher=(taskset -c "$cpus")
    (
        # 10,000 clients need 10,000 descriptors; the soft limit is usually 1024.
        ulimit -n "$(ulimit -Hn)"
        cd "$dir" || exit 1
        exec </dev/null >"$dir/out" 2>&1
        # An own process group: Ctrl-C in the caller's terminal must not race with our own stop.
        peer_exec setsid "${launcher[@]}"
    ) &
    local pid=$!
    # The start time goes with the pid: a pid alone may belong to another process tomorrow.
    echo "$pid $(peer_start_time "$pid")" >"$dir/pid"
}

peer_start_time() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    # The name in parentheses may hold spaces; field 22 of the line is the 20th after it.
    stat=${stat##*) }
    echo "$stat" | cut -d' ' -f20
}

peer_alive() {
    local pid started
    read -r pid started 2>/dev/null <"$dir/pid" || return 1
    [ -n "$started" ] && [ "$(peer_start_time "$pid")" = "$started" ] || return 1
    case $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) in ''|Z*|X*) return 1 ;; esac
}

# Ready when the process itself holds the listening socket and, where accounts are made by it, says so.
peer_wait() {
    local pid deadline=$((SECONDS + peer_wait_s + users / 200)) inode
    read -r pid _ <"$dir/pid"
    while [ $SECONDS -lt $deadline ]; do
        peer_alive || return 1
        inode=$(peer_listener_inode "$port")
        if [ -n "$inode" ]; then
            if find "/proc/$pid/fd" -lname "socket:\[$inode\]" 2>/dev/null | grep -q .; then
                peer_ready && return 0
            else
                return 1   # somebody else was faster
            fi
        fi
        sleep 0.05
    done
    return 1
}

peer_describe() {
    local pid
    read -r pid _ <"$dir/pid"
    printf '{"server":"%s","version":"%s","host":"127.0.0.1","port":%d,"domain":"%s","pid":%d,"target":"xmpp+plain://127.0.0.1:%d"}\n' \
        "$peer" "$(peer_version)" "$port" "$domain" "$pid" "$port"
}

peer_stop() {
    [ -d "$dir" ] || return 0
    if peer_alive; then
        local pid deadline=$((SECONDS + peer_stop_s))
        read -r pid _ <"$dir/pid"
        kill -TERM "$pid" 2>/dev/null
        while peer_alive && [ $SECONDS -lt $deadline ]; do
            sleep 0.05
        done
        peer_alive && kill -KILL "$pid" 2>/dev/null
    fi
    rm -f "$dir/pid" "$dir/ready" "$dir/peer.json"
    return 0
}
