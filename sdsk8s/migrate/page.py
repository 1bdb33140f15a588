"""The report of an import as one HTML page that loads nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence

import jinja2

from sdsk8s import __version__
from sdsk8s.migrate.drawing import Drawing
from sdsk8s.model.finding import CHANGED, NONE, TAKEN, Finding

TITLES = {NONE: "no counterpart", CHANGED: "changed meaning", TAKEN: "taken over"}
"""In the order of the page: what needs a person comes first."""


def page(found: Sequence[Finding], drawing: Drawing | None, *, old: str, new: str, dry_run: bool) -> str:
    """drawing: None when the new folder cannot be read."""
    groups = []
    for kind, title in TITLES.items():
        part = [f for f in found if f.level == kind]
        files = dict.fromkeys(f.file for f in part)
        groups.append((kind, title, [(file, [f for f in part if f.file == file]) for file in files]))
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("sdsk8s.migrate", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return env.get_template("report.html.j2").render(
        groups=groups, counts={k: sum(f.level == k for f in found) for k in TITLES}, drawing=drawing, old=old, new=new,
        dry_run=dry_run, version=__version__, when=time.strftime("%Y-%m-%d %H:%M"),
    )  # fmt: skip
