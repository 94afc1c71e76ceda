# OceanBase: the vendor's own single-node build (seekdb), which PyPI ships as `pylibseekdb`. MySQL's protocol.
# It listens on every interface; it has no setting against that.
# shellcheck shell=bash disable=SC2034,SC2154
version=seekdb-1.4.0.post1
home=$pkg/pylibseekdb-1.4.0.post1

install() {
    [[ $(uname -sm) == 'Linux x86_64' ]] || cannot "the wheel is fetched for Linux on x86_64 only"
    pypi "$home" pylibseekdb==1.4.0.post1
    chmod +x "$home/pylibseekdb/seekdb"
    debian 'command -v mariadb' mariadb-client-core
}

start() {
    choose_port main 12881
    mkdir -p "$run/data"
    LD_LIBRARY_PATH=$home/pylibseekdb launch "$home/pylibseekdb/seekdb" --nodaemon --port "$(port)" \
        --base-dir "$run/data" --parameter datafile_size=512M --parameter log_disk_size=2G
}

sql() { mariadb --no-defaults --protocol=tcp -h 127.0.0.1 -P "$(port)" -u root -N -e "$1"; }
healthy() { sql 'select 1'; }
prepare() { sql 'CREATE DATABASE heavenbase'; }
url() { echo "mysql://root@127.0.0.1:$(port)/heavenbase"; }
