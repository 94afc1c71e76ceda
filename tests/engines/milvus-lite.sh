# Milvus Lite: the newer API, in one Python process, from PyPI. gRPC.
# shellcheck shell=bash disable=SC2034,SC2154
version=3.2.2
home=$pkg/milvus-lite-$version

install() { pypi_with_deps "$home" "milvus-lite==$version" pymilvus==3.0.2; }

start() {
    choose_port main 19630
    mkdir -p "$run/data"
    PYTHONPATH=$home launch python3 "$home/bin/milvus-lite" server --data-dir "$run/data" \
        --host 127.0.0.1 --port "$(port)"
}

# Port and process alone: it has no health address.
healthy() { port_taken "$(port)"; }
url() { echo "http://127.0.0.1:$(port)"; }
