"""Which components a verb knows: read from the catalogue, since components are data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sdsk8s.errors import SdsError
from sdsk8s.site.data import folder
from sdsk8s.site.folder import home_folder
from sdsk8s.site.yamlfile import read_mapping

ALL = "all"


def components(verb: str, *more: str) -> list[str]:
    """Names of the components whose `verbs` include the verb, in legacy order, then the words of `more`."""
    found: dict[str, dict[str, Any]] = {}
    for root in [*_site_folders(), folder("manifests")]:
        for file in sorted(root.glob("*/component.yaml")):
            data = read_mapping(file)
            name = str(data.get("name", file.parent.name))
            above = found.get(name)
            if above is None:
                found[name] = data
            elif above.get("extends"):  # only changes: what it leaves out comes from the later folder
                found[name] = {**data, **above, "extends": data.get("extends", False)}
    known = [name for name, data in found.items() if verb in (data.get("verbs") or ())]
    return [*sorted(known, key=lambda name: (int(found[name].get("order", 100)), name)), *more]


def _site_folders() -> list[Path]:
    """The site's own catalogue folders. A site that cannot be read has none here; the verb itself will complain."""
    home = home_folder()
    try:
        data = read_mapping(home / "site.yaml")
    except SdsError:
        return []
    folders = data.get("manifests")
    paths = [home / Path(str(p)).expanduser() for p in folders] if isinstance(folders, list) else []
    return [p for p in paths if p.is_dir()]
