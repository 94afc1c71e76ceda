# Two clients of SQL Server's protocol, which judge the peer that stands in for it (tests/src/tds): FreeTDS's `tsql`, and
# PyPI's `python-tds`. Nothing to start: they are "up" once the packages are there.
# shellcheck shell=bash disable=SC2034,SC2154
version=1.17.1
home=$pkg/tds-clients-$version

install() {
    debian 'command -v tsql' freetds-bin
    pypi_with_deps "$home" "python-tds==$version"
}

start() { :; }
alive() { true; }
end_process() { :; }
healthy() { [[ -d $home/pytds ]] && command -v tsql >/dev/null; }
url() { echo "$home"; }
