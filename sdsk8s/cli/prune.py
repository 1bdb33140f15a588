"""`prune`: delete what the site no longer declares."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.end import end
from sdsk8s.cli.options import run_options, site_options
from sdsk8s.verbs import prune as prune_verb
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


@click.command()
@site_options
@run_options
def prune(**kw: Any) -> None:
    """Stop and delete objects of removed queues, workloads and components. Volumes are kept.

    An object belongs to this site when it has the label sdsk8s/component. Pods drain before they end.
    """
    end(prune_verb.run(Session(Options(**kw))))
