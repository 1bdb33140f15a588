"""Settings files of an old site: environment of the component's containers, or mounted files; byte-equal either way."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from sdsk8s.errors import ConfigError
from sdsk8s.migrate.environment_file import read_environment
from sdsk8s.migrate.inventory import Inventory
from sdsk8s.migrate.secrets import Vault
from sdsk8s.migrate.workloads import of_image
from sdsk8s.model import kube
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.finding import CHANGED, NONE, TAKEN, Finding
from sdsk8s.model.names import WORKLOADS, secret_word

PLACE = "/opt/sds/settings"
"""Folder of the mounted files, in a container."""
LIMIT = 900_000
"""Bytes of one file; an object takes a little more."""


@dataclass
class Settings:
    """What the settings files of one component come to.

    variables, hidden: {name: value}, the second in a Secret. files: {name: (template, secret, raw)}.
    """

    variables: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[str, bool, bool]] = field(default_factory=dict)


def read_settings(
    given: Iterable[tuple[str, Path]], read: Inventory, catalogue: Catalogue, vault: Vault
) -> tuple[dict[str, Settings], list[Finding]]:
    """{component: Settings} and a finding for every file, variable and address. ConfigError: a file cannot be read."""
    out: dict[str, Settings] = {}
    found: list[Finding] = []
    for component, path in given:
        own = out.setdefault(component, Settings())
        try:
            content = path.read_bytes()
            text = content.decode()
        except OSError as err:
            raise ConfigError("this settings file cannot be read", target=str(path), words=str(err)) from None
        except UnicodeDecodeError:
            found.append(Finding(NONE, path.name, "not valid UTF-8: convert the file to UTF-8", str(path)))
            continue
        name = file_name(path)
        if len(content) > LIMIT or "\0" in text or name in own.files:
            why = (
                "another settings file has the same name"
                if name in own.files
                else f"it contains NUL bytes, or more than {LIMIT} bytes"
            )
            found.append(Finding(NONE, path.name, why, str(path)))
        elif read_environment(text) is not None:
            found += _environment(own, component, path, text, read, vault)
        else:
            found += _file(own, component, path, text, read, catalogue, vault)
    return out, found


def file_name(path: Path) -> str:
    """The file's name below PLACE."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", path.name).lstrip(".") or "settings"


def _environment(
    own: Settings, component: str, path: Path, text: str, read: Inventory, vault: Vault
) -> Iterable[Finding]:
    yield Finding(TAKEN, path.name, f"environment of the containers of {component}", str(path))
    assignments = read_environment(text) or []
    last = {a.name: a for a in assignments}
    for a in assignments:
        kind, words = TAKEN, "byte for byte"
        held = {**own.variables, **own.hidden}
        if last[a.name] is not a:
            kind, words = CHANGED, f"line {last[a.name].line} is used"
        elif a.trouble:
            kind, words = NONE, f"{a.trouble}: write the value itself"
        elif of_image(a.name):
            kind, words = CHANGED, "the image sets its own value"
        elif held.get(a.name, a.value) != a.value:
            kind, words = NONE, "another settings file of the component sets a different value"
        elif vault.secret(a.name, a.value):
            own.hidden[a.name], words = a.value, "byte for byte, from a Secret"
        else:
            own.variables[a.name] = a.value
        hosts = [h for h in read.addresses() if kind == TAKEN and _host(h).search(a.value)]
        if hosts:
            kind, words = CHANGED, f"{words}; it names the old host {', '.join(hosts)}: use the name of a Service"
        yield Finding(kind, f"{path.name} {a.name}", words, str(path), a.line)


def _file(
    own: Settings, component: str, path: Path, text: str, read: Inventory, catalogue: Catalogue, vault: Vault
) -> Iterable[Finding]:
    name = file_name(path)
    keys = re.findall(r"[\w.-]+(?=[\"']?\s*[:=])", text)
    secret = any(secret_word(k) for k in keys) or vault.secret("", text)
    template, found = text, list[Finding]()
    if not re.search(r"\{[{%#]", text):
        template, found = _with_addresses(text, path, read, catalogue)
    raw = template == text or _rendered(template, read.values) != text
    own.files[name] = (text if raw else template, secret, raw)
    where = "a Secret" if secret else "a ConfigMap"
    yield Finding(
        TAKEN, path.name, f"{PLACE}/{name} of {component}'s containers, from {where}, byte for byte", str(path)
    )
    yield from (
        found
        if not raw
        else (
            Finding(CHANGED, f.subject, "address of an old host: use the name of a Service", f.file, f.line)
            for f in found
        )
    )


def _rendered(template: str, values: Mapping[str, object]) -> str:
    try:
        return jinja2.Environment(keep_trailing_newline=True, autoescape=False).from_string(template).render(values)
    except jinja2.TemplateError:
        return ""


def _with_addresses(text: str, path: Path, read: Inventory, catalogue: Catalogue) -> tuple[str, list[Finding]]:
    """Addresses of old hosts as template variables, where port or address tell which store is meant."""
    found: list[Finding] = []
    rows = text.split("\n")
    ports = _ports(catalogue)
    services = {key: service for c in catalogue.ordered() for key, service in c.addresses.items()}
    hosts = {h: [k for k in keys if k in services] for h, keys in read.addresses().items()}
    for i, row in enumerate(rows):
        for host, keys in hosts.items():
            for hit in reversed(list(_host(host).finditer(row))):
                port = re.match(r":(\d+)", row[hit.end() :])
                fits = [k for k in keys if not port or int(port.group(1)) in ports.get(services[k], ())]
                subject = f"{path.name} {host}{f' ({hit.start() + 1})'}"
                if len({services[k] for k in fits}) == 1:
                    row = row[: hit.start()] + "{{ " + fits[0] + " }}" + row[hit.end() :]
                    words = f"{{{{ {fits[0]} }}}}: the old value on machines, the Service {services[fits[0]]} in pods"
                else:
                    words = "address of an old host, not changed: replace it with the name of a Service"
                found.append(Finding(CHANGED, subject, words, str(path), i + 1))
        rows[i] = row
    return "\n".join(rows), found


def _host(address: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(address)}(?![\w-]|\.\w)")


def _ports(catalogue: Catalogue) -> dict[str, set[int]]:
    """{Service: its ports}"""
    objects = [m for c in catalogue.ordered() for m in c.manifests if m["kind"] == "Service"]
    return {kube.name(m): {p["port"] for p in m["spec"].get("ports", ())} for m in objects}


def environments(objects: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """{workload: variables that its first container gets from ConfigMaps and Secrets as a whole}, as rendered."""
    held: dict[tuple[str, str], dict[str, str]] = {}
    every = list(objects)
    for obj in every:
        if obj["kind"] == "ConfigMap":
            held["ConfigMap", kube.name(obj)] = dict(obj.get("data", {}))
        elif obj["kind"] == "Secret":
            data = {k: base64.b64decode(v).decode() for k, v in obj.get("data", {}).items()}
            held["Secret", kube.name(obj)] = data
    out = {}
    for obj in (o for o in every if o["kind"] in WORKLOADS):
        got: dict[str, str] = {}
        for source in obj["spec"]["template"]["spec"]["containers"][0].get("envFrom", ()):
            kind = "Secret" if "secretRef" in source else "ConfigMap"
            got |= held.get((kind, (source.get("secretRef") or source["configMapRef"])["name"]), {})
        out[kube.name(obj)] = got
    return out
