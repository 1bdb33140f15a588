"""`assess`: what an old site holds, and what each part becomes."""

from __future__ import annotations

from dataclasses import dataclass

from sdsk8s.console.console import Console
from sdsk8s.console.migrate_text import exit_code, finding_lines, findings_as_dict
from sdsk8s.migrate.assess import assess
from sdsk8s.site.catalogue import load_catalogue
from sdsk8s.site.folder import home_folder
from sdsk8s.verbs.old_site import OldSite


@dataclass(frozen=True)
class Request:
    """strict: exit code 1 if anything changed its meaning or has no counterpart."""

    old: OldSite
    strict: bool = False
    json: bool = False


def run(console: Console, request: Request) -> int:
    """Print the report; the exit code."""
    catalogue = load_catalogue()
    found = assess(home_folder(request.old.home), catalogue, request.old.given(catalogue))
    if request.json:
        console.print_json(findings_as_dict(found))
    else:
        for line in finding_lines(found):
            console.print(line)
    return exit_code(found, strict=request.strict)
