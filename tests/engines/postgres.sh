# PostgreSQL from Debian. A cluster of our own: the machine's main cluster is left alone.
# shellcheck shell=bash disable=SC2034,SC2154
postgres_bin() { find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1 | xargs -r dirname; }
version=$("$(postgres_bin)/postgres" --version 2>/dev/null | awk '{print $3}')
: "${version:=?}"

install() {
    # shellcheck disable=SC2016
    debian '[[ -n $(postgres_bin) ]]' postgresql
}

# The database's own order is a language's, not the order of bytes: a driver that forgets COLLATE "C" is
# found out.
start() { postgres_start "$(postgres_bin)" 15432 --locale-provider=icu --icu-locale=en-US; }
healthy() { postgres_healthy "$(postgres_bin)"; }
prepare() { postgres_prepare; }
stop() { postgres_stop; }
url() { echo "postgres://heavenbase:heavenbase@127.0.0.1:$(port)/heavenbase"; }

# shellcheck source=tests/engines/lib/postgres.sh
source "$engines/lib/postgres.sh"
