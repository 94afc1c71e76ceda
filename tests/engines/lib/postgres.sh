# A PostgreSQL cluster under $run/data, for every engine that is one. Role and database: heavenbase.
# shellcheck shell=bash disable=SC2154

# postgres_start BIN PORT [INITDB-OPTION…]
postgres_start() {
    local bin=$1
    choose_port main "$2"
    shift 2
    as_user_words
    echo heavenbase >"$run/password"
    "${words[@]}" "$bin/initdb" -D "$run/data" -U postgres --pwfile="$run/password" --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 "$@"
    launch "${words[@]}" "$bin/postgres" -D "$run/data" -p "$(port)" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 \
        -c shared_buffers=64MB -c timezone=UTC
    echo "$bin" >"$run/bin"
}

postgres_healthy() { "$1/pg_isready" -q -h 127.0.0.1 -p "$(port)"; }

postgres_sql() {
    PGPASSWORD=heavenbase "$(cat "$run/bin")/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(port)" -U postgres "$@"
}

postgres_prepare() {
    postgres_sql -d postgres -c "CREATE ROLE heavenbase LOGIN CREATEDB PASSWORD 'heavenbase'" \
        -c 'CREATE DATABASE heavenbase OWNER heavenbase'
}

# SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave.
postgres_stop() { kill -INT "$(cut -d' ' -f1 "$run/pid")"; sleep 0.5; }
