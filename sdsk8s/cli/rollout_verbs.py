"""redeploy, restart, undo and history of `sdsk8s`."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from sdsk8s.cli.complete import complete_component
from sdsk8s.cli.options import run_options, site_options
from sdsk8s.cli.verbs import reason_option, rollback_option
from sdsk8s.verbs.options import Options

_stores = click.option("--stores", is_flag=True, help="Also the stores that the components need.")


@click.command()
@click.argument("component", shell_complete=complete_component)
@reason_option
@rollback_option
@site_options
@run_options
def redeploy(component: str, reason: str, rollback: bool, **kw: Any) -> None:
    """Give every pod of COMPONENT (or all) a new one, with the image that its tag means now. Claims stay."""
    from sdsk8s.verbs.conduct import operate

    raise click.exceptions.Exit(operate("redeploy", component, Options(**kw), reason=reason, rollback=rollback))


@click.command()
@click.argument("target", shell_complete=complete_component)
@_stores
@site_options
@run_options
def restart(target: str, stores: bool, **kw: Any) -> None:
    """New pods for TARGET: COMPONENT, COMPONENT/WORKLOAD or all. Nothing else is touched.

    COMPONENT/WORKLOAD:PROGRAM restarts a program inside the pods that are there.
    """
    from sdsk8s.model.target import parse_target
    from sdsk8s.verbs.conduct import operate

    aim = parse_target(target)
    code = operate("restart", aim.component, Options(**kw), stores=stores, workload=aim.workload, program=aim.program)
    raise click.exceptions.Exit(code)


@click.command()
@click.argument("component", shell_complete=complete_component)
@click.argument("revision", type=click.IntRange(min=1), required=False)
@reason_option
@site_options
@run_options
def undo(component: str, revision: int | None, reason: str, **kw: Any) -> None:
    """Take COMPONENT (or all) back to REVISION, by default the one before: images and configuration together."""
    from sdsk8s.errors import UsageError
    from sdsk8s.verbs.conduct import operate

    if component == "all" and revision is not None:
        raise UsageError("revisions are counted by component: `all` takes no number")
    raise click.exceptions.Exit(operate("undo", component, Options(**kw), reason=reason, revision=revision))


@click.command()
@click.argument("component", required=False, shell_complete=complete_component)
@site_options
def history(component: str | None, **kw: Any) -> None:
    """Revisions of COMPONENT or of every component, newest first."""
    from sdsk8s.backends.kubernetes.history import revisions
    from sdsk8s.cli.render import print_table
    from sdsk8s.verbs.session import Session

    options = Options(**kw)
    session = Session(options)
    name = "" if component in (None, "all") else session.catalogue.get(str(component)).name
    found = revisions(session.cluster, name)
    if options.output == "json":
        body = [dataclasses.asdict(r) for r in found]
        click.echo(json.dumps({"version": 1, "revisions": body}, indent=2))
        return
    if not found:
        click.echo(f"nothing is recorded of {name or 'any component'}")
        return
    rows = [("COMPONENT", "REV", "WHEN", "WHO", "VERB", "IMAGES", "CONFIG", "REASON")]
    for r in found:
        images = " ".join(
            f"{ref.rpartition('/')[2].partition(':')[0]}@{digest[7:15] or '?'}" for ref, digest in r.images.items()
        )
        rows.append((r.component, str(r.number), r.when, r.who, r.verb, images, r.config, r.reason))
    print_table(rows)
