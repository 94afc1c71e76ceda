# H2 stands in for Oracle and for SQL Server, in its modes of those names: what fits of the behaviour suite is executed there (`--test h2`).
# shellcheck shell=bash disable=SC2034,SC2154
version=2.1.214

install() {
    debian 'ls /usr/share/java/h2.jar' libh2-java
    command -v javac >/dev/null || debian 'command -v javac' default-jdk-headless
    mkdir -p "$run/classes/META-INF/services"
    javac -nowarn -cp /usr/share/java/h2.jar -d "$run/classes" "$engines/lib/Stand.java"
    echo 'Stand$ByBytes' >"$run/classes/META-INF/services/java.nio.charset.spi.CharsetProvider"
}

start() {
    choose_port main 19092
    launch java -Xmx1G -cp "/usr/share/java/h2.jar:$run/classes" Stand "$(port)"
}

healthy() { port_taken "$(port)"; }
url() { echo "127.0.0.1:$(port)"; }
