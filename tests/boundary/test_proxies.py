"""Verbs behind an HTTP proxy: requests, commands, copies, logs and forwards all go through it, or around it."""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from certificates import server_certificate
from fake_apiserver import FakeApiServer, Handler
from fake_pod import add_pod, read_frame
from fake_proxy import Proxy

from sdsk8s.backends.kubernetes.copy.transfer import CopySource, PodContainer, Settings, download, upload
from sdsk8s.backends.kubernetes.exec import exec_
from sdsk8s.backends.kubernetes.forward import forward
from sdsk8s.backends.kubernetes.kubeconfig import connect
from sdsk8s.backends.kubernetes.proxy import proxy_for
from sdsk8s.errors import ClusterError

NAME = "api.cluster.test"
"""A name that only the proxy can resolve: whoever tries without it fails."""
VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


class Site:
    def __init__(self, folder: Path, secure: bool) -> None:
        self.folder = folder
        self.certificate = server_certificate(folder, NAME) if secure else None
        self.api = FakeApiServer(certificate=self.certificate)
        self.proxy = Proxy({NAME: ("127.0.0.1", self.api.port)})
        self.url = f"{'https' if secure else 'http'}://{NAME}:6443"

    def kubeconfig(self, **cluster: str) -> str:
        path = self.folder / "kubeconfig"
        entry = {"server": self.url, **cluster}
        if self.certificate:
            entry["certificate-authority"] = str(self.certificate[0])
        users = [{"name": "me", "user": {"token": "t"}}]
        contexts = [{"name": "c", "context": {"cluster": "c", "user": "me"}}]
        clusters = [{"name": "c", "cluster": entry}]
        path.write_text(
            yaml.safe_dump({"current-context": "c", "clusters": clusters, "users": users, "contexts": contexts})
        )
        return str(path)


@pytest.fixture(params=["https", "http"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, request.param == "https")
    yield made
    made.api.close()
    made.proxy.close()


class Silent:
    def planned(self, pod: str, plan: object) -> None: ...
    def moved(self, pod: str, size: int, name: str) -> None: ...
    def note(self, pod: str, text: str) -> None: ...


def port_forward(handler: Handler) -> bool:
    """A pod that answers every HTTP request with what was asked."""
    if "/portforward" not in handler.path:
        return False
    handler.upgrade("v4.channel.k8s.io")
    for channel in (0, 1):
        handler.frame(channel, (9200).to_bytes(2, "little"))
    with contextlib.suppress(OSError, ValueError):
        asked = read_frame(handler.rfile)[1][1:].split(b"\r\n")[0]
        handler.frame(0, b"HTTP/1.0 200 OK\r\n\r\n" + asked)
        handler.wfile.write(b"\x88\x00")
    return True


def everything(site: Site, cluster: Any, tmp_path: Path) -> None:
    """Each way to speak to the cluster, once."""
    folder = tmp_path / "volume"
    folder.mkdir()
    pod = add_pod(site.api, "box-1", folder)
    assert cluster.get("Pod", "box-1")["metadata"]["uid"] == "uid-box-1"
    assert exec_(cluster, "box-1", "main", ["cat"], b"x" * 300_000).stdout == b"x" * 300_000
    to = PodContainer("box-1", "main", pod["metadata"]["uid"])
    (tmp_path / "f").write_bytes(b"y" * 1_000_000)
    source = CopySource.of(tmp_path / "f", Settings())
    upload(cluster, to, source, f"{folder}/f", Settings(), Silent(), lambda real: 1 << 40)
    assert (folder / "f").read_bytes() == b"y" * 1_000_000
    download(cluster, to, f"{folder}/f", tmp_path / "back", Settings(), Silent())
    assert (tmp_path / "back").read_bytes() == b"y" * 1_000_000
    site.api.faults.insert(0, lambda h: "/log" in h.path and (h.answer(200, b"one\ntwo\n") or True))
    assert list(cluster.logs("box-1", "main")) == ["one", "two"]
    site.api.faults.insert(0, port_forward)
    site.api.objects["/api/v1/namespaces/sds/services"] = {
        "s": {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 9200}]}}
    }
    slices = "/apis/discovery.k8s.io/v1/namespaces/sds/endpointslices"
    end = {"targetRef": {"kind": "Pod", "name": "box-1"}, "conditions": {"ready": True}}
    site.api.objects[slices] = {"s": {"metadata": {"name": "s"}, "ports": [{"port": 9200}], "endpoints": [end]}}
    with forward(cluster, "s", 9200) as address, urllib.request.urlopen(f"http://{address}/path", timeout=10) as answer:
        assert answer.read() == b"GET /path HTTP/1.1"


def test_proxy_url_of_the_kubeconfig_leads_everything(site: Site, tmp_path: Path) -> None:
    cluster = connect(kubeconfig=site.kubeconfig(**{"proxy-url": f"http://{site.proxy.address}"}))
    everything(site, cluster, tmp_path)
    assert any(line == f"CONNECT {NAME}:6443" for line in site.proxy.asked)


def test_the_proxy_of_the_environment_leads_everything(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{site.url.partition(':')[0].upper()}_PROXY", f"http://{site.proxy.address}")
    everything(site, connect(kubeconfig=site.kubeconfig()), tmp_path)
    assert any(line == f"CONNECT {NAME}:6443" for line in site.proxy.asked)


def test_a_proxy_that_wants_a_login(site: Site, tmp_path: Path) -> None:
    site.proxy.login = "ann:s3cret"
    cluster = connect(kubeconfig=site.kubeconfig(**{"proxy-url": f"http://ann:s3cret@{site.proxy.address}"}))
    everything(site, cluster, tmp_path)
    wrong = connect(kubeconfig=site.kubeconfig(**{"proxy-url": f"http://ann:wr0ng@{site.proxy.address}"}))
    for act in (lambda: wrong.list("Pod"), lambda: exec_(wrong, "box-1", "main", ["true"])):
        with pytest.raises(ClusterError) as err:
            act()
        assert "407" in str(err.value) and "wr0ng" not in str(err.value)
        assert f"through the proxy http://{site.proxy.address}" in err.value.target


def test_a_proxy_that_is_not_there_is_named(site: Site) -> None:
    cluster = connect(kubeconfig=site.kubeconfig(**{"proxy-url": "http://127.0.0.1:1"}))
    with pytest.raises(ClusterError, match="does not answer") as err:
        cluster.list("Pod")
    assert "through the proxy http://127.0.0.1:1" in err.value.target and "refused" in err.value.words


def test_no_proxy_leads_around_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{site.proxy.address}")
    monkeypatch.setenv("HTTP_PROXY", f"http://{site.proxy.address}")
    monkeypatch.setenv("NO_PROXY", ".cluster.test")
    with pytest.raises(ClusterError):
        connect(kubeconfig=site.kubeconfig()).list("Pod")
    assert site.proxy.asked == []


def test_a_socks_proxy_is_refused_in_plain_words(site: Site) -> None:
    with pytest.raises(ClusterError, match="cannot be used: expected http://HOST:PORT") as err:
        connect(kubeconfig=site.kubeconfig(**{"proxy-url": "socks5://ann:s3cret@127.0.0.1:1080"}))
    assert (
        "SOCKS" in err.value.words
        and "s3cret" not in str(err.value)
        and err.value.target == "proxy-url of the kubeconfig"
    )


@pytest.mark.parametrize(
    ("host", "env", "expected"),
    [
        ("https://k.example", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://k.example", {"https_proxy": "p:1"}, "http://p:1"),
        ("https://k.example", {"HTTP_PROXY": "http://p:1"}, ""),
        ("http://k.example", {"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "http://p:1"),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("https://localhost", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("https://10.1.2.3", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, ""),
        ("https://11.1.2.3", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8, x"}, "http://p:1"),
        ("https://k.example:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "k.example:443"}, "http://p:1"),
        ("https://k.example:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example:443,k.example:6443"}, ""),
        ("https://k.example", {"HTTPS_PROXY": "http://p:1", "no_proxy": "example"}, ""),
        ("https://kexample", {"HTTPS_PROXY": "http://p:1", "no_proxy": "example"}, "http://p:1"),
        ("https://[fd00::1]", {"HTTPS_PROXY": "http://p:1", "no_proxy": "fd00::/8"}, ""),
        ("https://k.example", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, ""),
    ],
)
def test_which_proxy(host: str, env: dict[str, str], expected: str) -> None:
    assert proxy_for(host, "", env) == expected
    assert proxy_for(host, "http://always:1", env) == "http://always:1"
