# The judge of SQL Server's statements: Microsoft's own parser (ScriptDom), which PyPI ships inside `mssql-cli`, under Mono.
# Nothing to start: it is "up" once its program is compiled. It reads JSON strings, a line each, and says `ok` or `no` and why.
# shellcheck shell=bash disable=SC2034,SC2154
version=1.0.0
home=$pkg/judge-mssql-$version

build() {
    local parser=Microsoft.SqlServer.TransactSql.ScriptDom.dll
    python3 -m pip install --quiet --no-input --no-compile --no-deps --target "$into/wheel" "mssql-cli==$version" &&
        mv "$(find "$into/wheel" -name "$parser" | head -n 1)" "$into/" && rm -rf "$into/wheel" &&
        mcs -nologo -r:"$into/$parser" -r:/usr/lib/mono/4.5/Facades/netstandard.dll -out:"$into/judge.exe" "$engines/lib/judge-mssql.cs" &&
        printf '#!/bin/sh\nexec mono "$(dirname "$0")/judge.exe"\n' >"$into/judge" && chmod +x "$into/judge"
}

install() {
    debian 'ls /usr/lib/mono/4.5/Facades/netstandard.dll' mono-devel
    once "$home" build
}

start() { :; }
alive() { true; }
end_process() { :; }
healthy() { [[ $(echo '"SELECT 1"' | "$home/judge") == ok ]]; }
url() { echo "$home/judge"; }
