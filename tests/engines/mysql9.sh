# MySQL 9 from Debian's unstable suite, beside the machine's own packages: unpacked, never installed, run with its own C library.
# shellcheck shell=bash disable=SC2034,SC2154
home=$pkg/mysql-9
version=$(cat "$home/version" 2>/dev/null || echo mysql)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

unpack_unstable() {
    local root=$into/apt deb
    mkdir -p "$root"/etc/apt/{apt.conf.d,preferences.d,trusted.gpg.d} "$root"/var/lib/apt/lists/partial \
        "$root"/var/cache/apt/archives/partial "$root/var/lib/dpkg"
    touch "$root/var/lib/dpkg/status"
    echo "deb [signed-by=$keyring] http://deb.debian.org/debian sid main" >"$root/etc/apt/sources.list"
    local get=(apt-get -q -y -o Dir="$root" -o Dir::State::status="$root/var/lib/dpkg/status" -o Dir::Etc::Parts=/etc/apt/apt.conf.d
        -o APT::Install-Recommends=false -o APT::Sandbox::User=root)
    "${get[@]}" update && "${get[@]}" --download-only install mysql-server-core || return 1
    for deb in "$root"/var/cache/apt/archives/*.deb; do
        case ${deb##*/} in perl* | libperl*) ;; *) dpkg -x "$deb" "$into" || return 1 ;; esac
    done
    rm -rf "$root"
    mysqld "$into" --version | sed -n 's/.*Ver \([0-9.]*\).*/mysql \1/p' >"$into/version"
}

# mysqld_words DIR: sets `words` to the command; mysqld DIR ARGUMENT…: runs it.
mysqld_words() {
    words=("$1/usr/lib64/ld-linux-x86-64.so.2" --library-path "$1/usr/lib/x86_64-linux-gnu" "$1/usr/sbin/mysqld"
        --no-defaults --basedir="$1/usr" --lc-messages-dir="$1/usr/share/mysql" --user="$(id -un)" --secure-file-priv=)
}
mysqld() {
    mysqld_words "$1"
    "${words[@]}" "${@:2}"
}

install() {
    [[ $(uname -sm) == 'Linux x86_64' ]] || cannot "the packages are fetched for Linux on x86_64 only"
    command -v apt-get >/dev/null && [[ -f $keyring ]] || cannot "needs Debian's apt-get and its keyring"
    debian 'command -v mariadb' mariadb-client-core
    once "$home" unpack_unstable
    version=$(cat "$home/version")
}

start() {
    choose_port main 13307
    mysqld "$home" --datadir="$run/data" --initialize-insecure
    mysqld_words "$home"
    launch "${words[@]}" --datadir="$run/data" --bind-address=127.0.0.1 --port="$(port)" --socket="$run/sock" \
        --mysqlx=OFF --pid-file="$run/mysqld.pid" --innodb-buffer-pool-size=128M --max-connections=200 --max-allowed-packet=64M
}

sql() { mariadb --no-defaults --skip-ssl --socket="$run/sock" -u root -N -e "$1"; }
healthy() { sql 'select 1'; }
prepare() {
    sql "CREATE DATABASE heavenbase; CREATE USER heavenbase@'%' IDENTIFIED BY 'heavenbase';
         GRANT ALL ON *.* TO heavenbase@'%'"
}
url() { echo "mysql://heavenbase:heavenbase@127.0.0.1:$(port)/heavenbase"; }
