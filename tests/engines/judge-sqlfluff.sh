# The judge of StarRocks's statements: sqlfluff with its dialect `starrocks`, PyPI `sqlfluff`. Nothing to start: it is "up" once
# it is installed. It reads JSON strings, a line each, and says `ok` or `no` and why.
# shellcheck shell=bash disable=SC2034,SC2154
version=4.5.0
home=$pkg/judge-sqlfluff-$version

build() {
    python3 -m pip install --quiet --no-input --no-compile --target "$into/wheel" "sqlfluff==$version" &&
        printf '#!/bin/sh\nhome=$(dirname "$0")\nPYTHONPATH=$home/wheel exec python3 "$home/judge-sqlfluff.py" starrocks\n' >"$into/judge" &&
        chmod +x "$into/judge"
}

install() {
    once "$home" build
    cp "$engines/lib/judge-sqlfluff.py" "$home/"
}
start() { :; }
alive() { true; }
end_process() { :; }
healthy() { [[ $(echo '"SELECT 1"' | "$home/judge") == ok ]]; }
url() { echo "$home/judge"; }
