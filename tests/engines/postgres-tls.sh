# PostgreSQL from Debian with encryption, under a certificate of an authority that is made here: for the tests of TLS.
# The address names the authority's certificate; beside it lies `other.crt`, of an authority that signed nothing.
# shellcheck shell=bash disable=SC2034,SC2154
postgres_bin() { find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1 | xargs -r dirname; }
version=$("$(postgres_bin)/postgres" --version 2>/dev/null | awk '{print $3}')
: "${version:=?}"

install() {
    # shellcheck disable=SC2016
    debian '[[ -n $(postgres_bin) ]]' postgresql
    debian 'command -v openssl' openssl
}

authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$1" -keyout "$run/$1.key" -out "$run/$1.crt"
}

start() { postgres_start "$(postgres_bin)" 15434; }
healthy() { postgres_healthy "$(postgres_bin)"; }

# The server's key belongs to the server's user, and is read when it reloads its configuration.
prepare() {
    postgres_prepare
    authority authority
    authority other
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$run/server.key" -out "$run/server.csr"
    openssl x509 -req -in "$run/server.csr" -CA "$run/authority.crt" -CAkey "$run/authority.key" -CAcreateserial -days 30 \
        -extfile <(echo subjectAltName=DNS:localhost) -out "$run/server.crt"
    install_file "$run/server.key" server.key
    install_file "$run/server.crt" server.crt
    postgres_sql -d postgres -c 'ALTER SYSTEM SET ssl = on' -c 'SELECT pg_reload_conf()'
    sleep 0.5
}

install_file() {
    cp "$1" "$run/data/$2"
    chown --reference="$run/data/postgresql.conf" "$run/data/$2"
    chmod 600 "$run/data/$2"
}

stop() { postgres_stop; }
url() {
    echo "postgres://heavenbase:heavenbase@localhost:$(port)/heavenbase?sslmode=verify-full&sslrootcert=$run/authority.crt"
}

# shellcheck source=tests/engines/lib/postgres.sh
source "$engines/lib/postgres.sh"
