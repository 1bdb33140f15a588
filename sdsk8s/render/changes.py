"""What an update changes, for people: files of each package and keys of the configuration. No secret value is shown."""

from __future__ import annotations

import base64
import difflib
from collections.abc import Iterable, Mapping

from sdsk8s.errors import printable
from sdsk8s.model import kube
from sdsk8s.model.history import Trees
from sdsk8s.model.kube import Object

_SHOWN = 8


def tree_changes(old: Trees, new: Trees) -> list[str]:
    """One line per image and package whose files differ: `mozart/hysds: 1 added, 2 changed, 0 removed: a.py, ...`."""
    lines = []
    for image in sorted({*old, *new}):
        was, now = old.get(image) or {}, new.get(image) or {}
        if not was:
            continue  # an image that was not recorded with its files has nothing to be compared with
        for package in sorted({path.partition("/")[0] for path in {*was, *now}}):
            a, b = _below(was, package), _below(now, package)
            added, gone = sorted(set(b) - set(a)), sorted(set(a) - set(b))
            changed = sorted(p for p in set(a) & set(b) if a[p] != b[p])
            if added or gone or changed:
                names = [*(f"+{p}" for p in added), *(f"~{p}" for p in changed), *(f"-{p}" for p in gone)]
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                counts = f"{len(added)} added, {len(changed)} changed, {len(gone)} removed"
                shown = printable(", ".join(names[:_SHOWN]))
                lines.append(f"image {image}, package {package}: {counts}: {shown}{more}")
    return lines


def config_changes(old: Iterable[Object], new: Iterable[Object]) -> list[str]:
    """One line per key of a ConfigMap or Secret that is added, removed or changed."""
    was = {kube.key(o): o for o in old if o["kind"] in ("ConfigMap", "Secret")}
    now = {kube.key(o): o for o in new if o["kind"] in ("ConfigMap", "Secret")}
    lines = []
    for key in sorted({*was, *now}):
        a, b = _data(was.get(key)), _data(now.get(key))
        for name in sorted({*a, *b}):
            if a.get(name) != b.get(name):
                lines.append(f"{key[0]}/{key[1]} key {name}: {_how(a.get(name), b.get(name), key[0] == 'Secret')}")
    return lines


def _how(old: str | None, new: str | None, secret: bool) -> str:
    word = "added" if old is None else "removed" if new is None else "changed"
    if secret:
        return f"{word} (*** the values are not shown)"
    before, after = (old or "").splitlines(), (new or "").splitlines()
    diff = [d for d in difflib.ndiff(before, after) if d[:2] in ("+ ", "- ")] if len(before) + len(after) < 4000 else []
    plus = sum(d.startswith("+") for d in diff)
    return f"{word}, {plus} lines added, {len(diff) - plus} removed" if diff else word


def _data(obj: Object | None) -> dict[str, str]:
    data = dict((obj or {}).get("data") or {})
    if obj is not None and obj["kind"] == "Secret":
        return {k: base64.b64decode(v).decode(errors="replace") for k, v in data.items()}
    return data


def _below(tree: Mapping[str, str], package: str) -> dict[str, str]:
    if package in tree:  # a file beside the packages
        return {package: tree[package]}
    return {p[len(package) + 1 :]: h for p, h in tree.items() if p.startswith(f"{package}/")}
