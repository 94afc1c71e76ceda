# Pinecone has no server to run. Prism (npm) stands in for its wire contract, over Pinecone's own OpenAPI document of
# the data plane, which no registry ships. What the document does not allow is a 422; answers are its examples.
# shellcheck shell=bash disable=SC2034,SC2154
version=prism-5.14.2
home=$pkg/$version
document=${HEAVENBASE_PINECONE_OPENAPI:-$base/openapi/pinecone_db_data.yaml}

install() {
    [[ -f $document ]] || cannot "no OpenAPI document: set HEAVENBASE_PINECONE_OPENAPI to Pinecone's db_data_*.oas.yaml"
    npm_packages "$home" @stoplight/prism-cli@5.14.2
}

start() {
    choose_port main 18090
    launch "$home/node_modules/.bin/prism" mock --host 127.0.0.1 --port "$(port)" "$document"
}

healthy() {
    answers "$(url)/describe_index_stats" -H 'Api-Key: x' -H 'X-Pinecone-Api-Version: 2025-10' \
        -H 'Content-Type: application/json' -d '{}'
}
url() { echo "http://127.0.0.1:$(port)"; }
exports() { export_line HEAVENBASE_TEST_PINECONE_CONTRACT "$(url)"; }
