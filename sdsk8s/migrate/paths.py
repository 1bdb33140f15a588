"""Where paths of the old hosts are in an image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sdsk8s.migrate.workloads import given
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.site.legacy import old_home

SITE_ROOT = "/opt/sds/site"
"""Files of the old hosts that belong to no package, in an image."""
_PLACES = {"bin": "/opt/sds/venv/bin", "ops": "/opt/sds/ops", "etc": "/opt/sds/etc", "log": "/tmp", "run": "/run/sds"}


@dataclass
class Paths:
    """ops_home: of the old site, "" if unknown; home: of images; homes: folders of components below ops_home.

    found: {old path: new path}; own: the same of files that no package holds.
    """

    ops_home: str
    home: str
    homes: frozenset[str]
    found: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    """{old path, or etc/NAME: new path} of settings files."""

    def map(self, text: str) -> str:
        """The text with every path below the old home as it is in an image."""
        if not self.ops_home:
            return text
        pattern = rf"(?<![\w./~-]){re.escape(self.ops_home)}(?![\w.-])(/[^\s:;,\"'=|&<>()]*)?"
        return re.sub(pattern, lambda m: self._one(m.group()), text)

    def clear(self) -> None:
        """Forget what was found."""
        self.found.clear()
        self.own.clear()

    def _one(self, path: str) -> str:
        parts = path[len(self.ops_home) :].strip("/").split("/")
        if parts == [""]:
            new = self.home
        elif known := self.settings.get(path) or self.settings.get("/".join(parts[1:])):
            new = known
        elif parts[0] in self.homes and len(parts) > 1 and parts[1] in _PLACES:
            new = "/".join([_PLACES[parts[1]], *parts[2:]])
        else:
            new = self.own[path] = "/".join([SITE_ROOT, *parts])
        self.found[path] = new
        return new


def paths_of(values: Mapping[str, object], catalogue: Catalogue) -> Paths:
    """The old site's home, and the folders where the catalogue's components lived."""
    homes = frozenset(c.ssh.home for c in catalogue.components.values() if c.ssh)
    return Paths(old_home(values), given()["HOME"], homes)
