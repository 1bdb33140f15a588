"""Certificates of a lab: one CA, one key pair per part, kubeconfigs. Kept across down/up; renewed when due."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sdsk8s.lab.plan import Lab
from sdsk8s.lab.shell import write

LIFE = datetime.timedelta(days=3650)
RENEW_BEFORE = datetime.timedelta(days=30)


@dataclass(frozen=True)
class Request:
    """What a certificate says. `hosts` are DNS names and addresses; with any, it may serve."""

    name: str
    common_name: str
    organization: str = ""
    hosts: tuple[str, ...] = ()


def requests(lab: Lab) -> list[Request]:
    """All certificates of a lab."""
    api_hosts = (
        "localhost",
        "127.0.0.1",
        lab.address,
        lab.api_service,
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    )
    return [
        Request("apiserver", "kube-apiserver", hosts=api_hosts),
        Request("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters"),
        Request("front-proxy", "front-proxy-client"),
        Request("etcd", "etcd", hosts=(lab.loopback,)),
        Request("admin", "lab-admin", "system:masters"),
        Request("controller-manager", "system:kube-controller-manager"),
        Request("scheduler", "system:kube-scheduler"),
        Request("proxy", "system:kube-proxy"),
        Request("coredns", "sdsk8s-lab:coredns"),
        Request("volumes", "sdsk8s-lab:volumes"),
        *(
            Request(node.name, f"system:node:{node.name}", "system:nodes", (node.name, node.address))
            for node in lab.nodes
        ),
    ]


KUBECONFIGS = ("controller-manager", "scheduler", "proxy", "coredns", "volumes")


def ensure(lab: Lab) -> None:
    """Make what is missing, due or no longer right. Keys are 0600 from the start."""
    lab.pki.mkdir(parents=True, exist_ok=True)
    lab.pki.chmod(0o700)
    if not (lab.pki / "ca.crt").exists():
        make_ca(lab.pki)
    if not (lab.pki / "service-accounts.key").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        write(lab.pki / "service-accounts.pub", public_pem(key.public_key()))
        write(lab.pki / "service-accounts.key", key_pem(key), 0o600)
    ca = x509.load_pem_x509_certificate((lab.pki / "ca.crt").read_bytes())
    for request in requests(lab):
        if not still_good(lab.pki, request, ca):
            issue(lab.pki, request, ca)
    for name in (*KUBECONFIGS, *(node.name for node in lab.nodes)):
        write(lab.pki / f"{name}.kubeconfig", dump(kubeconfig(lab, name)), 0o600)
    write(lab.kubeconfig, dump(kubeconfig(lab, "admin", embed=True)), 0o600)


def still_good(folder: Path, request: Request, ca: x509.Certificate) -> bool:
    """Whether the certificate on disk answers this very request, is of this CA and lasts."""
    file = folder / f"{request.name}.crt"
    told = folder / f"{request.name}.json"
    if not (file.exists() and told.exists() and (folder / f"{request.name}.key").exists()):
        return False
    cert = x509.load_pem_x509_certificate(file.read_bytes())
    soon = datetime.datetime.now(datetime.UTC) + RENEW_BEFORE
    same = told.read_text() == describe(request)
    return same and cert.not_valid_after_utc > soon and authority_key(cert) == subject_key(ca)


def describe(request: Request) -> str:
    return json.dumps([request.common_name, request.organization, list(request.hosts)])


def subject_key(cert: x509.Certificate) -> bytes | None:
    return cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def authority_key(cert: x509.Certificate) -> bytes | None:
    return cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier


def subject(common_name: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def builder(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # An hour back: clocks of virtual machines jump.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def make_ca(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = subject("sdsk8s-lab-ca")
    cert = (
        builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage(ca=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    write(folder / "ca.key", key_pem(key), 0o600)
    write(folder / "ca.crt", cert.public_bytes(serialization.Encoding.PEM).decode())


def usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def issue(folder: Path, request: Request, ca: x509.Certificate) -> None:
    ca_key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if request.hosts:
        purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)
    made = (
        builder(subject(request.common_name, request.organization), ca.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if request.hosts:
        names = [general_name(host) for host in request.hosts]
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    cert = made.sign(ca_key, hashes.SHA256())
    write(folder / f"{request.name}.key", key_pem(key), 0o600)
    write(folder / f"{request.name}.crt", cert.public_bytes(serialization.Encoding.PEM).decode())
    write(folder / f"{request.name}.json", describe(request))


def general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key: ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def kubeconfig(lab: Lab, user: str, embed: bool = False) -> dict[str, Any]:
    """A kubeconfig of one identity; with `embed` the certificates are inside, so that the file can be copied."""
    context = f"lab-{lab.name}"
    files = {"ca": "ca.crt", "cert": f"{user}.crt", "key": f"{user}.key"}
    if embed:
        data = {k: base64.b64encode((lab.pki / name).read_bytes()).decode() for k, name in files.items()}
        cluster = {"server": lab.server, "certificate-authority-data": data["ca"]}
        credentials = {"client-certificate-data": data["cert"], "client-key-data": data["key"]}
    else:
        paths = {k: str(lab.pki / name) for k, name in files.items()}
        cluster = {"server": lab.server, "certificate-authority": paths["ca"]}
        credentials = {"client-certificate": paths["cert"], "client-key": paths["key"]}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": f"{context}-{user}", "user": credentials}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": f"{context}-{user}"}}],
    }


def dump(data: dict[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False)
