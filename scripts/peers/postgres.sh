#!/usr/bin/env bash
# Starts and stops PostgreSQL in a folder of its own, as the store of a test:  postgres.sh start|stop DIR
#
# It does not touch the system's PostgreSQL: own data, a Unix socket in DIR and no port. Its user is xmpp, its database
# postgres, without a password. Exits with 69 when it is not installed.
set -eu
word=${1:?start or stop} dir=${2:?a folder}

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb || echo /nowhere/initdb)")
[ -x "$bin/initdb" ] || { echo "postgres.sh: not installed (Debian: apt-get install postgresql)" >&2; exit 69; }

# It refuses to run as root.
run() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; else "$@"; fi
}

case $word in
start)
    if [ ! -d "$dir/data" ]; then
        [ "$(id -u)" != 0 ] || chown postgres: "$dir"
        run "$bin/initdb" --pgdata="$dir/data" --username=xmpp --auth=trust --encoding=UTF8 --no-locale >/dev/null
    fi
    cd "$dir"
    run "$bin/pg_ctl" start --pgdata="$dir/data" --log="$dir/log" --wait --silent \
        --options="-c listen_addresses='' -c unix_socket_directories='$dir'" </dev/null >/dev/null
    ;;
stop)
    cd "$dir"
    run "$bin/pg_ctl" stop --pgdata="$dir/data" --mode=immediate --wait --silent >/dev/null 2>&1
    ;;
*)
    echo "postgres.sh: start or stop, not $word" >&2
    exit 2
    ;;
esac
