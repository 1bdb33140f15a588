"""Make a site folder for a tree of the public HySDS packages, on a lab that is up.

usage: prepare.py --tree DIR --files DIR --folder OUT [--lab NAME]

--tree   the site's source tree: one folder per package, with the site's own patches in it (it is not changed)
--files  what the site has in ~/.sds/files: index templates and datasets.json
Writes OUT/sds (SDS_HOME) and OUT/env (to be sourced). OUT/sds is made once and then kept.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from demo import Demo  # noqa: E402

PACKAGES = ("osaka", "prov_es", "hysds_commons", "hysds", "mozart", "grq2")


def tls_pair(name: str) -> tuple[str, str]:
    """(certificate, key) as PEM: self-signed, for ten years."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return cert.public_bytes(pem).decode(), private.decode()


def celeryconfig(tree: Path) -> str:
    """The tree's own template with the addresses of our stores: TLS for Redis, none inside the cluster elsewhere."""
    text = (tree / "hysds/configs/celery/celeryconfig.py.tmpl").read_text()
    text = text.replace("amqps://", "amqp://").replace("5671", "5672")
    text = text.replace("'https://'~", "'http://'~").replace("}}/?ssl_cert_reqs", "}}:6380/?ssl_cert_reqs")
    text = text.replace("unix://:{{ MOZART_REDIS_PASSWORD }}@/run/redis/redis.sock",
                        "redis://:{{ MOZART_REDIS_PASSWORD }}@{{ MOZART_REDIS_PVT_IP }}:6379/0")  # fmt: skip
    # job states and run-time metrics lie in one list name: the metrics get a database of their own
    text = text.replace("METRICS_REDIS_PVT_IP }}:6380/?", "METRICS_REDIS_PVT_IP }}:6380/1?")
    for name in ("MOZART_PVT_IP", "GRQ_PVT_IP"):
        text = text.replace(f"https://{{{{ {name} }}}}:", f"http://{{{{ {name} }}}}:")
    lines = [line for line in text.splitlines() if not line.startswith("broker_use_ssl")]
    return "\n".join(without_block(lines, "ca_certs")) + "\nbroker_use_ssl = {}\n"


def without_block(lines: list[str], word: str) -> list[str]:
    """The lines without the body of the mapping that has the word in its first line, up to its closing brace."""
    start = next((i for i, line in enumerate(lines) if word in line), None)
    if start is None:
        return lines
    end = next(i for i in range(start, len(lines)) if lines[i].startswith("}"))
    return lines[:start] + lines[end + 1 :]


def make_home(home: Path, tree: Path, files: Path) -> None:
    fresh = home.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "files").mkdir(parents=True)
    # one queue is enough here: every queue is a Deployment of its own
    text = (HERE.parent / "demo-site/sds/config").read_text()
    head, _, tail = text.partition("  - QUEUE_NAME: dumby-job_worker-large")
    (fresh / "config").write_text(f"{head}\n{tail.partition(chr(10) * 2)[2]}")
    Demo._fill_secrets(fresh / "config")
    for pattern in ("*.template", "es_template-base.json", "datasets.json"):
        for path in files.glob(pattern):
            shutil.copy(path, fresh / "files" / path.name)
    # no empty `macdef` in it, as older templates have: Python's parser of 3.11 and later refuses it
    machine = "machine {{ MOZART_RABBIT_PVT_IP }} login {{ MOZART_RABBIT_USER }} password {{ MOZART_RABBIT_PASSWORD }}"
    (fresh / "files/netrc.mozart").write_text(f"{machine}\n")
    (fresh / "files/netrc-os").write_text("default login ops password unused\n")
    (fresh / "files/celeryconfig.py.tmpl").write_text(celeryconfig(tree))
    for name, text in zip(("redis-tls.crt", "redis-tls.key"), tls_pair("redis"), strict=True):
        (fresh / "files" / name).write_text(text)
        (fresh / "files" / name).chmod(0o600)
    fresh.rename(home)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("tree", "files", "folder"):
        parser.add_argument(f"--{option}", type=Path, required=True)
    parser.add_argument("--lab", default="default")
    args = parser.parse_args()
    out, tree = args.folder.resolve(), args.tree.resolve()
    for package in PACKAGES:
        if not (tree / package).is_dir():
            parser.error(f"{tree} has no folder {package}")
    tool = Path(sys.executable).parent / "sdsk8s"
    status = subprocess.run(
        [tool, "lab", "status", "--name", args.lab, "-o", "json"], stdout=subprocess.PIPE, text=True, check=True
    )
    facts = json.loads(status.stdout)
    out.mkdir(parents=True, exist_ok=True)
    home, source = out / "sds", out / "ops"
    if not home.exists():
        make_home(home, tree, args.files.resolve())
    # The tree stays where it is: links to its packages, and the two lists for pip beside them.
    source.mkdir(exist_ok=True)
    for path in [*(p for p in tree.iterdir() if p.is_dir()), HERE / "constraints.txt", HERE / "exclude.txt"]:
        link = source / path.name
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    site = {
        "name": "hysds",
        "namespace": "hysds",
        "source": str(source),
        "registry": facts["registry"],
        "engine": facts["docker"],
        "images": {"base": facts["base_image"]},
        "manifests": [str(HERE / "manifests")],
    }
    (home / "site.yaml").write_text(yaml.safe_dump(site, sort_keys=False))
    env = {"PATH": f"{tool.parent}:{facts['tools']}:$PATH", "KUBECONFIG": facts["kubeconfig"], "SDS_HOME": str(home)}
    (out / "env").write_text("".join(f'export {k}="{v}"\n' for k, v in env.items()))
    print(f". {out / 'env'}")


if __name__ == "__main__":
    main()
