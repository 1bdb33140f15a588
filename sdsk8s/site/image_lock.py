"""`images.lock` of a site: the digest behind each tag that images are built FROM.

    registry.example/debian:12-slim: sha256:...     "" where no registry could say it

A tag such as `12-slim` is given to a newer image with every security update. The file keeps equal input equal until
somebody asks for the newer one.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import yaml

from sdsk8s.errors import ConfigError
from sdsk8s.site.yamlfile import read_mapping

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|")
_HEAD = "# Written by sdsk8s: what images are built from. `sdsk8s images build --pull` asks for newer ones.\n"


def read_lock(path: Path) -> dict[str, str]:
    """{reference: digest, or ""}. A file that is not there is empty; ConfigError for one that says anything else."""
    if not path.exists():
        return {}
    found = read_mapping(path)
    for reference, digest in found.items():
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise ConfigError(
                f"{digest!r} is not a digest",
                target=f"{path}, {reference}",
                words='expected sha256: and 64 hex digits, or ""',
            )
    return found


def lock(path: Path, reference: str, digest: str) -> None:
    """Record one digest, whole or not at all."""
    entries = {**read_lock(path), reference: digest}
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_text(_HEAD + yaml.safe_dump(entries, sort_keys=True))
    new.replace(path)
