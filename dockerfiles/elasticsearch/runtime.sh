# usage: runtime.sh OUT      a Java runtime of the modules that the server and its plugins use
set -eu
jlink --output "$1" --strip-java-debug-attributes --no-man-pages --no-header-files --compress=1 --add-modules \
java.base,java.compiler,java.desktop,java.logging,java.management,java.naming,java.net.http,java.scripting,\
java.security.jgss,java.sql,java.xml,jdk.crypto.ec,jdk.management,jdk.net,jdk.unsupported,jdk.zipfs,jdk.localedata
# Debian's own CA store; a copy, because jlink leaves a link out of the tree
rm -f "$1/lib/security/cacerts"
cp /etc/ssl/certs/java/cacerts "$1/lib/security/cacerts"
"$1/bin/java" -Xshare:dump -XX:+UseSerialGC > /dev/null
