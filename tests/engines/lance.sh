# What the tests of Lance need: protoc with its own messages, which Lance is built with, and PyPI's `pylance`, which reads what we write.
# Nothing to start: it is "up" once the files are there.
# shellcheck shell=bash disable=SC2034,SC2154
version=14.0.2
home=$pkg/pylance-$version
messages=/usr/include/google/protobuf/empty.proto

install() {
    debian "command -v protoc && test -e $messages" protobuf-compiler libprotobuf-dev
    pypi_with_deps "$home" "pylance==$version"
}

start() { :; }
alive() { true; }
end_process() { :; }
healthy() { [[ -d $home/lance ]] && command -v protoc >/dev/null && [[ -e $messages ]]; }
url() { echo "$home"; }
exports() { export_line HEAVENBASE_TEST_PYLANCE "$home"; }
