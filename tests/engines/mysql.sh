# MariaDB from Debian (only its core package: no service of the machine is made or started).
# shellcheck shell=bash disable=SC2034,SC2154
version=$(/usr/sbin/mariadbd --version 2>/dev/null | sed -n 's/.*Ver \([0-9.]*\).*/mariadb \1/p')
: "${version:=mariadb}"

install() { debian 'test -x /usr/sbin/mariadbd && command -v mariadb' mariadb-server-core mariadb-client-core; }

start() {
    choose_port main 13306
    local plain=(--no-defaults --datadir="$run/data" --user="$(id -un)")
    mariadb-install-db "${plain[@]}" --auth-root-authentication-method=normal --skip-test-db
    launch /usr/sbin/mariadbd "${plain[@]}" --bind-address=127.0.0.1 --port="$(port)" --socket="$run/sock" \
        --pid-file="$run/mariadbd.pid" --innodb-buffer-pool-size=128M --max-connections=200 \
        --character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci --max-allowed-packet=64M
}

sql() { mariadb --no-defaults --socket="$run/sock" -u root -N -e "$1"; }
healthy() { sql 'select 1'; }
prepare() {
    sql "CREATE DATABASE heavenbase; CREATE USER heavenbase@'%' IDENTIFIED BY 'heavenbase';
         GRANT ALL ON *.* TO heavenbase@'%'"
}
url() { echo "mysql://heavenbase:heavenbase@127.0.0.1:$(port)/heavenbase"; }
