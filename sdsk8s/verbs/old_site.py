"""The old site's files that `assess` and `migrate import` are pointed at, each with its component."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sdsk8s.errors import UsageError
from sdsk8s.migrate.fabric_verdicts import table
from sdsk8s.migrate.given import Given
from sdsk8s.model.catalogue import Catalogue


@dataclass(frozen=True)
class OldSite:
    """home: its folder, None for the usual one. The others are words of the form [COMPONENT=]FILE."""

    home: str | None = None
    supervisord: tuple[str, ...] = ()
    crontab: tuple[str, ...] = ()
    systemd: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    def given(self, catalogue: Catalogue) -> Given:
        """The files that the words mean. UsageError for one that is not there or whose component is not clear."""

        def pairs(texts: Sequence[str]) -> tuple[tuple[str, Path], ...]:
            return tuple(p for text in texts for p in _pairs(catalogue, text))

        verdicts = {kind: {n: (v.verdict, v.now) for n, v in names.items()} for kind, names in table().items()}
        return Given(pairs(self.supervisord), pairs(self.crontab), pairs(self.systemd), pairs(self.settings), verdicts)


def _pairs(catalogue: Catalogue, text: str) -> list[tuple[str, Path]]:
    """(component, file); of a folder every unit file."""
    name, equals, file = text.partition("=")
    if not equals:
        name, file = "", text
    path = Path(file).expanduser()
    if name:
        component = catalogue.get(name).name
    else:
        words = set(re.split(r"[^A-Za-z0-9]+", str(path.absolute())))
        hits = [c.name for c in catalogue.ordered() if words & {c.name, *c.aliases, c.ssh.home if c.ssh else c.name}]
        if len(hits) != 1:
            raise UsageError(f"{file}: its component is unknown; write COMPONENT={file}")
        component = hits[0]
    if not path.exists():
        raise UsageError(f"{file} does not exist")
    if path.is_dir():
        return [(component, p) for p in sorted(path.iterdir()) if p.is_file()]
    return [(component, path)]
