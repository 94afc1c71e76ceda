# Pinecone's own client for Python, which judges the peer that stands in for Pinecone (tests/src/pinecone).
# Nothing to start: it is "up" once the package is there.
# shellcheck shell=bash disable=SC2034,SC2154
version=8.1.2
home=$pkg/pinecone-client-$version

install() { pypi_with_deps "$home" "pinecone==$version"; }
start() { :; }
alive() { true; }
end_process() { :; }
healthy() { [[ -f $home/pinecone/__init__.py ]]; }
url() { echo "$home"; }
