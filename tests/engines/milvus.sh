# Milvus: the standalone server (etcd, storage and queue in one process) that PyPI ships as `milvus`. gRPC.
# shellcheck shell=bash disable=SC2034,SC2154
version=2.3.5
home=$pkg/milvus-$version

install() {
    [[ $(uname -m) == x86_64 ]] || cannot "the wheel is for x86_64"
    pypi "$home" "milvus==$version"
    # The package unpacks its server into the data directory at every first start: once is enough.
    [[ -d $home/unpacked ]] || PYTHONPATH=$home python3 -c "
import milvus
milvus._initialize_data_files('$home/unpacking')" && mv -T "$home/unpacking" "$home/unpacked" 2>/dev/null
    [[ -d $home/unpacked ]]
}

start() {
    local fixed
    for fixed in 2380 13333; do
        # etcd's and the query node's own: they cannot be moved, so a machine holds one Milvus.
        port_taken "$fixed" && { echo "port $fixed, which Milvus insists on, is taken"; return 1; }
    done
    choose_port main 19530
    choose_port health 19091
    # The package's own writer of milvus.yaml; it looks for free ports for the parts inside.
    PYTHONPATH=$home python3 -c "
import milvus
c = milvus.MilvusServerConfig(data_dir='$run/data', proxy_port=$(port))
c.set('log.level', 'warn')
c.set('proxy.timeTickInterval', 50)
c.resolve()"
    cd "$run/data" || return
    DEPLOY_MODE=STANDALONE METRICS_PORT=$(port health) MILVUS_RUN_DIR=$run/data/run \
        LD_LIBRARY_PATH=$home/unpacked/bin launch "$home/unpacked/bin/milvus" run standalone
}

healthy() { [[ $(curl -s -m 5 "http://127.0.0.1:$(port health)/healthz") == OK ]]; }
url() { echo "http://127.0.0.1:$(port)"; }
