"""`configure`: a site's configuration, asked or given, merged into the existing files."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from sdsk8s.console.console import Console
from sdsk8s.errors import RefusedError
from sdsk8s.site.catalogue import load_catalogue
from sdsk8s.site.configure import save_config, save_site
from sdsk8s.site.folder import home_folder, load_site
from sdsk8s.site.legacy_config import read_legacy_config, without_none
from sdsk8s.site.shipped import bring_defaults, shipped_files
from sdsk8s.site.yamlfile import read_mapping
from sdsk8s.verbs.configure_answers import Answers, defaults, given
from sdsk8s.verbs.configure_dialogue import Dialogue


@dataclass(frozen=True)
class Request:
    """home: the site folder, None for the usual one. yes: merge without asking.

    source: YAML file of answers. assignments: KEY=VALUE words. stdin: read KEY=VALUE lines of secrets. When one of
    the three is given, nothing is asked.
    """

    home: str | None = None
    source: Path | None = None
    assignments: tuple[str, ...] = ()
    stdin: bool = False
    yes: bool = False

    @property
    def given(self) -> bool:
        return bool(self.source or self.assignments or self.stdin)


def run(console: Console, request: Request) -> int:
    """Write config, site.yaml and the templates that the site lacks; the exit code.

    RefusedError when a question is needed and there is no terminal; UsageError for answers that make no sense.
    """
    home = home_folder(request.home)
    config, site_file = home / "config", home / "site.yaml"
    current = without_none(read_legacy_config(config).values) if config.exists() else {}
    site = read_mapping(site_file) if site_file.exists() else {}
    if not request.given and not sys.stdin.isatty():
        raise RefusedError(
            "configure asks questions, but there is no terminal",
            next="configure --from FILE, or --set KEY=VALUE",
        )
    if config.exists() and not request.yes:
        if not sys.stdin.isatty():
            raise RefusedError(f"{config} exists", next="add -f to merge into it")
        if not console.agree(f"{config} exists. Merge new answers into it"):
            return 0
    if request.given:
        answers = given(request.source, request.assignments, stdin=request.stdin)
        answers = Answers({**defaults({**current, **answers.config}), **answers.config}, answers.site)
    else:
        answers = Dialogue(console, current).run(site)
    for line in [*save_config(home, answers.config), *save_site(home, answers.site)]:
        console.note(line)
    saved = load_site(home)
    for line in bring_defaults(home, shipped_files(saved, load_catalogue(saved.manifests))):
        console.note(line)
    console.note("try next: sdsk8s config check")
    return 0
