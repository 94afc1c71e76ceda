# DuckDB's shared library, which npm ships inside its Node bindings, and two of its extensions from PyPI.
# Nothing to start: it is "up" once the files are there.
# shellcheck shell=bash disable=SC2034,SC2154
version=1.5.5
home=$pkg/duckdb-$version
lib=$home-lib/node_modules/@duckdb/node-bindings-linux-x64
fts=$home-extensions/duckdb_extension_fts/extensions/v$version/fts.duckdb_extension
vss=$home-extensions/duckdb_extension_vss/extensions/v$version/vss.duckdb_extension

install() {
    [[ $(uname -sm) == 'Linux x86_64' ]] || cannot "the library is fetched for Linux on x86_64 only"
    npm_packages "$home-lib" "@duckdb/node-bindings-linux-x64@$version-r.5"
    pypi "$home-extensions" "duckdb-extension-fts==$version" "duckdb-extension-vss==$version"
}

start() { :; }
alive() { true; }
end_process() { :; }
healthy() { [[ -f $lib/libduckdb.so && -f $fts && -f $vss ]]; }
url() { echo "$lib/libduckdb.so"; }
exports() {
    export_line DUCKDB_LIB_DIR "$lib"
    # shellcheck disable=SC2016
    printf 'export LD_LIBRARY_PATH=%q${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\n' "$lib"
    export_line HEAVENBASE_TEST_DUCKDB_FTS "$fts"
    export_line HEAVENBASE_TEST_DUCKDB_VSS "$vss"
}
