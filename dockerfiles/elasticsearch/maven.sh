# usage: maven.sh OUT        the server's home; Maven gets the building host's settings and CA bundle, if there are any
set -eu
. /build/tools/net.sh
mvn="mvn -B -q -Dmaven.repo.local=/build/m2"
[ ! -f /build/net/maven-settings.xml ] || mvn="$mvn -s /build/net/maven-settings.xml"
if [ -f /build/net/ca.crt ]; then
    # Java reads no PEM bundle: add what Debian's store does not have to a copy of it
    cp /etc/ssl/certs/java/cacerts /build/cacerts
    python3 /build/tools/extra_cas.py /build/net/ca.crt /etc/ssl/certs/ca-certificates.crt /build/extra
    for crt in /build/extra/*.crt; do
        [ -f "$crt" ] || continue
        keytool -importcert -noprompt -keystore /build/cacerts -storepass changeit -alias "$(basename "$crt")" -file "$crt"
    done
    export MAVEN_OPTS="-Djavax.net.ssl.trustStore=/build/cacerts -Djavax.net.ssl.trustStorePassword=changeit"
fi
python3 /build/assemble_home.py /build/modules.json "$1" --mvn "$mvn"
rm -rf "$1"/bin/* "$1/config" "$1/logs" # started by its main class; settings are in the run folder
mkdir -p "$1/bin" "$1/plugins" # the server insists on these
cp /build/log4j2.properties "$1/"
chmod -R a+rX,go-w "$1"
