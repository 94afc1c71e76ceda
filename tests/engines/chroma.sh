# Chroma: its own server, which PyPI ships inside `chromadb`. HTTP v2.
# shellcheck shell=bash disable=SC2034,SC2154
version=1.5.9
home=$pkg/chroma-$version

install() { pypi "$home" "chromadb==$version"; }

start() {
    choose_port main 18000
    mkdir -p "$run/data"
    PYTHONPATH=$home launch python3 -c "
import chromadb_rust_bindings as chroma
chroma.cli(['chroma', 'run', '--path', '$run/data', '--host', '127.0.0.1', '--port', '$(port)'])"
}

healthy() { answers "$(url)/api/v2/heartbeat"; }
url() { echo "http://127.0.0.1:$(port)"; }
