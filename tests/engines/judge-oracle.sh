# The judge of Oracle's statements: a PL/SQL grammar of ANTLR's, which npm ships as `@griffithswaite/ts-plsql-parser`, under Node.
# Nothing to start: it is "up" once it is installed. It reads JSON strings, a line each, and says `ok` or `no` and why.
# shellcheck shell=bash disable=SC2034,SC2154
version=1.1.1
home=$pkg/judge-oracle-$version

build() {
    npm_into "@griffithswaite/ts-plsql-parser@$version" antlr4@4.13.0 &&
        # Its sources, which run as they are, and four times as fast as what was built of them.
        (cd "$into/node_modules/antlr4" && npm pkg set --silent --json 'exports={".":"./src/antlr4/index.node.js"}') &&
        # The judge itself stays where it is written, and finds what is installed here.
        printf '#!/bin/sh\nexec node "$(dirname "$0")/judge.mjs"\n' >"$into/judge" && chmod +x "$into/judge"
}

install() {
    command -v node >/dev/null || debian 'command -v npm' nodejs npm
    once "$home" build
    cp "$engines/lib/judge-oracle.mjs" "$home/judge.mjs"
}

start() { :; }
alive() { true; }
end_process() { :; }
healthy() { [[ -x $home/judge ]]; }
url() { echo "$home/judge"; }
