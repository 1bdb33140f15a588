"""What this host needs to reach package indexes: CA bundle, mirrors, proxies. Handed to throw-away build stages only.

Everything ends up as small files in the context's net/ folder, which dockerfiles/tools/net.sh reads as /build/net.
"""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
# find-links and the like name places on this host, which a build does not see
PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
PIP_ENVIRONMENT = {"timeout": "PIP_DEFAULT_TIMEOUT"}
APT_OPTIONS = re.compile(
    r"Acquire::(?:(?:https?|ftp)::(?:[^:\s]+::)?Proxy|Check-Valid-Until|Retries|ForceIPv[46]|(?:https?::)?Timeout)"
)
APT_SOURCES = "SDSK8S_APT_SOURCES"
"""Environment variable: a sources.list or .sources file to use instead of the base image's own."""
_NET = "/build/net"


@dataclass(frozen=True)
class HostNet:
    """files    {name in net/: content}
    proxies  {predefined build argument: value}; the engine keeps these out of history and cache
    facts    what was found, for printing; no values, they may hold credentials
    """

    files: Mapping[str, bytes]
    proxies: Mapping[str, str]
    facts: tuple[str, ...] = ()


def detect(environ: Mapping[str, str], root: Path = Path("/")) -> HostNet:
    """Read this host's settings. `root` is where /etc and ~ are looked for; absent settings are not an error."""
    files: dict[str, bytes] = {}
    facts: list[str] = []
    ca = _ca_bundle(environ, root)
    if ca is not None:
        files["ca.crt"] = ca.read_bytes()
        facts.append(f"CA bundle {ca}")
    home = Path(environ.get("HOME") or "/nonexistent")
    pip = _pip_options(environ, root, home)
    if pip:
        facts.append(f"pip: {', '.join(sorted(pip))}")
    if ca is not None:
        pip["cert"] = f"{_NET}/ca.crt"
    if pip:
        files["pip.conf"] = ("[global]\n" + "".join(f"{k} = {v}\n" for k, v in sorted(pip.items()))).encode()
    apt = _apt_options() if root == Path("/") else []
    if apt:
        facts.append(f"apt: {', '.join(line.split()[0] for line in apt)}")
    if ca is not None:
        apt.append(f'Acquire::https::CAInfo "{_NET}/ca.crt";')
    if sources := environ.get(APT_SOURCES):
        name = "host.sources" if sources.endswith(".sources") else "host.list"
        files[f"sources/{name}"] = Path(sources).read_bytes()
        apt += ['Dir::Etc::sourcelist "/dev/null";', f'Dir::Etc::sourceparts "{_NET}/sources";']
        facts.append(f"apt sources {sources}")
    if apt:
        files["apt.conf"] = "".join(f"{line}\n" for line in apt).encode()
    maven = _maven_settings(root, home)
    if maven is not None:
        files["maven-settings.xml"] = maven
        facts.append("maven: mirrors or proxies of settings.xml")
    proxies = {name: environ[name] for upper in PROXY_VARIABLES for name in (upper, upper.lower()) if environ.get(name)}
    if proxies:
        facts.append(f"proxies: {', '.join(sorted(proxies))}")
    return HostNet(files, proxies, tuple(facts))


def _ca_bundle(environ: Mapping[str, str], root: Path) -> Path | None:
    for name in CA_VARIABLES:
        if environ.get(name) and Path(environ[name]).is_file():
            return Path(environ[name])
    # a CA that the administrator added to the system's store, with no variable saying so
    system = root / "etc/ssl/certs/ca-certificates.crt"
    if any((root / "usr/local/share/ca-certificates").glob("**/*.crt")) and system.is_file():
        return system
    return None


def _pip_options(environ: Mapping[str, str], root: Path, home: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    candidates = [root / "etc/xdg/pip/pip.conf", root / "etc/pip.conf", home / ".pip/pip.conf",
                  home / ".config/pip/pip.conf"]  # fmt: skip
    if environ.get("PIP_CONFIG_FILE"):
        candidates.append(Path(environ["PIP_CONFIG_FILE"]))
    for path in candidates:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path)
        except configparser.Error:
            continue  # pip itself will say so
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= {k: v for k, v in parser.items(section) if k in PIP_OPTIONS and v}
    for option in PIP_OPTIONS:
        name = PIP_ENVIRONMENT.get(option, "PIP_" + option.upper().replace("-", "_"))
        if environ.get(name):
            found[option] = environ[name]
    # an option of several values is several lines, which must be indented
    found = {k: "\n    ".join(v.split()) for k, v in found.items()}
    return {k: v for k, v in found.items() if not v.startswith("file:")}


def _apt_options() -> list[str]:
    if shutil.which("apt-config") is None:
        return []
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, timeout=20, check=False).stdout
    return [
        line for line in dump.splitlines() if APT_OPTIONS.fullmatch(line.split(" ")[0]) and not line.endswith('"";')
    ]


def _maven_settings(root: Path, home: Path) -> bytes | None:
    for path in (home / ".m2/settings.xml", root / "etc/maven/settings.xml"):
        try:
            tree = ET.parse(path)
        except (OSError, ET.ParseError):
            continue
        top = tree.getroot()
        match = re.match(r"\{(.*)\}", top.tag)
        space = match.group(1) if match else ""
        if not any(_local(e.tag) == "proxy" or _is_mirror(e) for e in top.iter()):
            continue
        for element in list(top):
            if _local(element.tag) == "localRepository":
                top.remove(element)
        if space:
            ET.register_namespace("", space)
        return str(ET.tostring(top, encoding="unicode")).encode()
    return None


def _is_mirror(element: ET.Element) -> bool:
    # Maven's own settings file holds one mirror, which blocks plain HTTP
    return _local(element.tag) == "mirror" and all(_local(e.tag) != "blocked" for e in element)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
