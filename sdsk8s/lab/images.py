"""The two images that every lab starts with, and their way into its registry (plain registry v2 over HTTP)."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdsk8s.errors import ImageError
from sdsk8s.lab import tools
from sdsk8s.lab.configs import PAUSE_IMAGE
from sdsk8s.lab.shell import run

BASE_IMAGE = "debian:12-slim"
PAUSE_SOURCE = Path(__file__).parent / "files" / "pause.go.txt"
# What goes into the base root file system; a change makes a new one.
SUITE = "bookworm"
EXCLUDED = (
    "/usr/share/man/*",
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
)
TRIM = (
    'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/* "$1"/var/cache/debconf/*-old '
    '"$1"/var/lib/dpkg/*-old "$1"/etc/resolv.conf "$1"/etc/hostname'
)
INCLUDED = ("usr-is-merged",)
MERGED_USR = "/usr/share/mmdebstrap/hooks/merged-usr"
# As in the usual slim images: nothing cached, nothing in languages, no services started by apt.
APT_CONF = (
    'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };\n'
    'Acquire::Languages "none";\nAcquire::GzipIndexes "true";\nApt::AutoRemove::SuggestsImportant "false";\n'
)
DPKG_CONF = "".join(f"path-exclude {pattern}\n" for pattern in EXCLUDED)

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass(frozen=True)
class Image:
    """A single-layer image: repository:tag, the gzipped layer, its uncompressed digest, and its run settings."""

    name: str
    layer: Path
    diff_id: str
    config: dict[str, Any]


def ensure(registry: str, say: Callable[[str], None]) -> None:
    """Both images are in the registry (host:port) afterwards; made only when the cache has them not."""
    for name, make in ((PAUSE_IMAGE, pause_image), (BASE_IMAGE, base_image)):
        image = make(say)
        if push(registry, image):
            say(f"pushed {registry}/{name}")


def key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def base_missing() -> bool:
    """Whether the base root file system still has to be made (which needs a Debian mirror)."""
    return not base_layer().exists()


def mirror() -> str:
    """A Debian mirror other than the usual one: SDSK8S_DEBIAN_MIRROR."""
    return os.environ.get("SDSK8S_DEBIAN_MIRROR", "")


def base_layer() -> Path:
    return tools.cache() / "images" / f"{SUITE}-{key(SUITE, *INCLUDED, DPKG_CONF, APT_CONF, TRIM, mirror())}.tar.gz"


def base_image(say: Callable[[str], None]) -> Image:
    """Debian slim by mmdebstrap, without any package but the essential ones and apt."""
    layer = base_layer()
    with tools.locked(tools.cache() / "images.lock"):
        if not layer.exists():
            say("making the Debian base image with mmdebstrap (only once, about 30 s)")
            make_base(layer)
    settings = {"Cmd": ["bash"], "Env": [f"PATH={':'.join(CONTAINER_PATH)}"]}
    return Image(BASE_IMAGE, layer, diff_id(layer), settings)


CONTAINER_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def make_base(layer: Path) -> None:
    layer.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=layer.parent) as scratch:
        tar, apt, dpkg = Path(scratch, "base.tar"), Path(scratch, "apt"), Path(scratch, "dpkg")
        apt.write_text(APT_CONF)
        dpkg.write_text(DPKG_CONF)
        for file in (apt, dpkg):
            file.chmod(0o644)
        run(
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            "--quiet",
            # `usr-is-merged` instead of `usrmerge`, which would bring the whole of Perl along.
            f"--include={','.join(INCLUDED)}",
            f"--hook-dir={MERGED_USR}",
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED),
            f"--customize-hook={TRIM}",
            f'--customize-hook=upload "{apt}" /etc/apt/apt.conf.d/90slim',
            f'--customize-hook=upload "{dpkg}" /etc/dpkg/dpkg.cfg.d/90slim',
            SUITE,
            str(tar),
            *([mirror()] if mirror() else []),
            env={"SOURCE_DATE_EPOCH": "0", "TMPDIR": scratch},
            timeout=1200,
        )
        compress(tar, layer)


def pause_image(say: Callable[[str], None]) -> Image:
    """The pod's first process: a static Go program of some lines."""
    source = PAUSE_SOURCE.read_text()
    layer = tools.cache() / "images" / f"pause-{key(source)}.tar.gz"
    with tools.locked(tools.cache() / "images.lock"):
        if not layer.exists():
            say("building the pause image (only once)")
            layer.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=layer.parent) as scratch:
                program, tar = Path(scratch, "pause"), Path(scratch, "pause.tar")
                Path(scratch, "pause.go").write_text(source)
                run(
                    tools.find_go(say),
                    "build",
                    "-trimpath",
                    "-ldflags",
                    "-s -w",
                    "-o",
                    program,
                    "pause.go",
                    cwd=Path(scratch),
                    env=tools.go_environment(),
                )
                with tarfile.open(tar, "w") as out:
                    entry = tarfile.TarInfo("pause")
                    entry.size, entry.mode = program.stat().st_size, 0o755
                    with program.open("rb") as data:
                        out.addfile(entry, data)
                compress(tar, layer)
    return Image(PAUSE_IMAGE, layer, diff_id(layer), {"Entrypoint": ["/pause"], "User": "65535:65535"})


def compress(tar: Path, layer: Path) -> None:
    """Gzip without a time stamp, renamed into place when whole; the uncompressed digest goes beside it."""
    temporary = layer.with_suffix(".part")
    with (
        tar.open("rb") as source,
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed,
    ):
        shutil.copyfileobj(source, packed, 1 << 20)
    layer.with_suffix(".diff").write_text(digest(tar))
    temporary.replace(layer)


def diff_id(layer: Path) -> str:
    return layer.with_suffix(".diff").read_text().strip()


def digest(file: Path) -> str:
    with file.open("rb") as source:
        return "sha256:" + hashlib.file_digest(source, "sha256").hexdigest()


def push(registry: str, image: Image) -> bool:
    """Push unless the registry has this very image. Returns whether anything was sent."""
    repository, _, tag = image.name.partition(":")
    config = json.dumps(
        {
            "architecture": architecture(),
            "os": "linux",
            "config": image.config,
            "rootfs": {"type": "layers", "diff_ids": [image.diff_id]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "sdsk8s lab"}],
            "created": "1970-01-01T00:00:00Z",
        },
        sort_keys=True,
    ).encode()
    layer_digest, config_digest = digest(image.layer), "sha256:" + hashlib.sha256(config).hexdigest()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(config), "digest": config_digest},
            "layers": [{"mediaType": LAYER, "size": image.layer.stat().st_size, "digest": layer_digest}],
        },
        sort_keys=True,
    ).encode()
    base = f"http://{registry}/v2/{repository}"
    there = call("HEAD", f"{base}/manifests/{tag}", headers={"Accept": MANIFEST})
    if there and there["docker-content-digest"] == "sha256:" + hashlib.sha256(manifest).hexdigest():
        return False
    upload(base, layer_digest, image.layer.read_bytes())
    upload(base, config_digest, config)
    call("PUT", f"{base}/manifests/{tag}", manifest, {"Content-Type": MANIFEST})
    return True


def upload(base: str, blob: str, data: bytes) -> None:
    if call("HEAD", f"{base}/blobs/{blob}"):
        return
    begun = call("POST", f"{base}/blobs/uploads/", b"")
    location = urllib.parse.urljoin(f"{base}/", begun["location"] if begun else "")
    glue = "&" if "?" in location else "?"
    call(
        "PUT",
        f"{location}{glue}digest={urllib.parse.quote(blob)}",
        data,
        {"Content-Type": "application/octet-stream"},
    )


def call(method: str, url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    """Headers of the answer, or None for 404 to a HEAD. Never through a proxy: the registry is on this machine."""
    request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=120) as answer:
            return answer.headers
    except urllib.error.HTTPError as err:
        if err.code == 404 and method == "HEAD":
            return None
        raise ImageError(
            f"the lab's registry refuses {method}", target=url, words=err.read().decode(errors="replace")
        ) from err
    except (OSError, http.client.HTTPException) as err:
        raise ImageError(
            "the lab's registry does not answer", target=url, words=str(err), next="sdsk8s lab logs registry"
        ) from err


def architecture() -> str:
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
