# Sourced in throw-away stages: the building host's CA bundle and package index settings, if it has any.
# /build exists only in those stages; nothing here writes outside it.
net=/build/net
export DEBIAN_FRONTEND=noninteractive PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
[ ! -f $net/apt.conf ] || export APT_CONFIG=$net/apt.conf
[ ! -f $net/pip.conf ] || export PIP_CONFIG_FILE=$net/pip.conf
if [ -f $net/ca.crt ]; then
    export SSL_CERT_FILE=$net/ca.crt REQUESTS_CA_BUNDLE=$net/ca.crt CURL_CA_BUNDLE=$net/ca.crt PIP_CERT=$net/ca.crt
fi
apt_install() {
    mkdir -p /usr/share/man/man1 /usr/share/man/man7 # some packages fail to link their manual into a slim system
    apt-get -qq update
    apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@"
}
