"""Defects of the legacy tool that no test of a verb holds by itself (docs/reference/contract.md, 6.1)."""

from __future__ import annotations

import ast
import os
import re
import ssl
import subprocess
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from sdsk8s.backends.http.client import Http, HttpError
from sdsk8s.lab import pki
from sdsk8s.lab.plan import Lab
from sdsk8s.verbs.endpoints import search_engine
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

ROOT = Path(__file__).parent.parent.parent


def test_no_code_knows_the_home_of_a_user() -> None:
    """The legacy tool had /home/ops in its commands; here it is OPS_HOME, or the image's own."""
    code = [p for room in ("sdsk8s", "legacy_shim") for p in (ROOT / room).rglob("*.py") if "lab" not in p.parts]
    assert len(code) > 100
    assert not [str(p) for p in code if re.search(r"/home/\w|/root\b", p.read_text())]


def test_the_core_knows_no_legacy_key_verb_or_folder() -> None:
    """They are data: manifests/*/component.yaml and manifests/legacy.yaml. What the shim does is the legacy tool's."""
    legacy = re.compile(r"MOZART|GRQ|METRICS_|FACTOTUM|VERDI|_tps\b|OPS_HOME|mozart/ops|KEY_FILENAME")
    found = []
    for path in (p for p in (ROOT / "sdsk8s").rglob("*.py") if "lab" not in p.parts):
        tree = ast.parse(path.read_text())
        docs = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        constants = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in docs)
        found += [f"{path}:{n.lineno}" for n in constants if isinstance(n.value, str) and legacy.search(n.value)]
    assert not found


@pytest.mark.parametrize("verb", ["start_tps", "stop_tps"])
def test_a_store_that_cannot_be_reached_is_a_failure(tmp_path: Path, verb: str) -> None:
    (tmp_path / "config").write_text("MOZART_PVT_IP: 127.0.0.1\n")
    env = {**os.environ, "SDS_HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "none")}
    code = "from legacy_shim.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, verb, "mozart", "-f"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 1 and "error:" in done.stderr and not done.stdout


@pytest.mark.parametrize(
    ("keys", "base"),
    [
        ("GRQ_ES_PVT_IP: 10.0.0.9", "http://10.0.0.9:9200"),
        ("GRQ_ES_PVT_IP: 10.0.0.9\nGRQ_ES_PROTOCOL: https\nGRQ_ES_PORT: 9243", "https://10.0.0.9:9243"),
        ("GRQ_ES_PVT_IP: https://search.example", "https://search.example"),
        ("GRQ_ES_PVT_IP: [https://one.example:9200, https://two.example:9200]", "https://one.example:9200"),
    ],
)
def test_scheme_and_port_are_the_sites(tmp_path: Path, keys: str, base: str) -> None:
    (tmp_path / "config").write_text(keys + "\n")
    (tmp_path / "site.yaml").write_text("components: {elasticsearch: {where: external}}\n")
    with search_engine(Session(Options(home=str(tmp_path))), "GRQ_ES") as engine:
        assert engine.base == base


def test_certificates_are_strong_and_strangers_are_not_trusted(tmp_path: Path) -> None:
    """Those that the project makes, and what its HTTP client does with one that nobody vouches for."""
    lab = Lab("demo", 4, 1, tmp_path)
    pki.ensure(lab)
    for path in lab.pki.glob("*.crt"):
        cert = x509.load_pem_x509_certificate(path.read_bytes())
        key = cert.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey) and key.key_size >= 256, path
        assert cert.not_valid_after_utc - cert.not_valid_before_utc <= timedelta(days=3651), path

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Hello)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.pki / "apiserver.crt", lab.pki / "apiserver.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        base = f"https://127.0.0.1:{server.server_port}"
        with pytest.raises(HttpError, match=r"(?i)certificate verify failed"):
            Http(base).send("GET", "/")
        assert Http(base, verify=False).send("GET", "/") == {}, "only where the site says so"
    finally:
        server.shutdown()
        server.server_close()
