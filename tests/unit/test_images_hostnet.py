"""The building host's CA bundle and index settings, read from files and variables that are really there."""

from __future__ import annotations

from pathlib import Path

from sdsk8s.backends.docker.host_settings import detect

MAVEN = '<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><localRepository>/x</localRepository>{}</settings>'


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_host_without_settings_passes_nothing(tmp_path: Path) -> None:
    net = detect({"HOME": str(tmp_path)}, root=tmp_path)
    assert dict(net.files) == {} and dict(net.proxies) == {} and net.facts == ()


def test_ca_bundle_of_the_environment_reaches_pip_and_apt(tmp_path: Path) -> None:
    ca = write(tmp_path / "ca.pem", "PEM")
    net = detect({"SSL_CERT_FILE": str(ca)}, root=tmp_path)
    assert net.files["ca.crt"] == b"PEM"
    assert b"cert = /build/net/ca.crt" in net.files["pip.conf"]
    assert b'Acquire::https::CAInfo "/build/net/ca.crt";' in net.files["apt.conf"]


def test_ca_that_only_the_system_store_knows(tmp_path: Path) -> None:
    write(tmp_path / "etc/ssl/certs/ca-certificates.crt", "ALL")
    assert "ca.crt" not in detect({}, root=tmp_path).files
    write(tmp_path / "usr/local/share/ca-certificates/corp.crt", "CORP")
    assert detect({}, root=tmp_path).files["ca.crt"] == b"ALL"


def test_pip_settings_variables_win_over_files_and_local_places_are_left_out(tmp_path: Path) -> None:
    text = "[global]\nindex-url = https://one/simple\ntimeout = 7\nfind-links = /opt/wheels\n"
    write(tmp_path / "etc/pip.conf", text)
    write(tmp_path / "home/.config/pip/pip.conf", "[install]\ntrusted-host = a\n    b\n")
    environ = {"HOME": str(tmp_path / "home"), "PIP_INDEX_URL": "https://u:secret@two/simple", "PIP_FIND_LINKS": "/w"}
    net = detect(environ, root=tmp_path)
    text = net.files["pip.conf"].decode()
    assert "index-url = https://u:secret@two/simple" in text
    assert "timeout = 7" in text and "trusted-host = a\n    b" in text
    assert "find-links" not in text and "one" not in text
    assert "secret" not in " ".join(net.facts)
    assert "pip.conf" not in detect({"PIP_INDEX_URL": "file:///w"}, root=tmp_path / "none").files


def test_proxies_are_predefined_build_arguments(tmp_path: Path) -> None:
    net = detect({"https_proxy": "http://p:3128", "NO_PROXY": "a"}, root=tmp_path)
    assert net.proxies == {"https_proxy": "http://p:3128", "NO_PROXY": "a"}


def test_maven_settings_count_only_with_a_mirror_or_proxy_of_the_site(tmp_path: Path) -> None:
    blocker = "<mirrors><mirror><id>maven-default-http-blocker</id><blocked>true</blocked></mirror></mirrors>"
    write(tmp_path / "etc/maven/settings.xml", MAVEN.format(blocker))
    assert "maven-settings.xml" not in detect({}, root=tmp_path).files
    write(tmp_path / ".m2/settings.xml", MAVEN.format("<mirrors><mirror><id>m</id><url>u</url></mirror></mirrors>"))
    text = detect({"HOME": str(tmp_path)}, root=tmp_path).files["maven-settings.xml"].decode()
    assert "<mirror>" in text and "localRepository" not in text and "ns0" not in text


def test_apt_sources_of_a_mirror_replace_the_images_own(tmp_path: Path) -> None:
    sources = write(tmp_path / "m.sources", "Types: deb\n")
    net = detect({"SDSK8S_APT_SOURCES": str(sources)}, root=tmp_path)
    assert net.files["sources/host.sources"] == b"Types: deb\n"
    assert b'Dir::Etc::sourceparts "/build/net/sources";' in net.files["apt.conf"]
