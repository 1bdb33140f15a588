"""`sds cloud ls`, `cloud asg ls` and `cloud storage ls`: what there is."""

from __future__ import annotations

import json
from collections.abc import Iterable

import click

from sdsk8s.console.colour import paint, wanted
from sdsk8s.errors import CredentialsError, RefusedError
from sdsk8s.model.site import Site
from sdsk8s.planner.steps import Plan
from sdsk8s.site.folder import home_folder, load_site
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

CLOUDS = ("aws", "azure", "gcp")


def ls(options: Options) -> int:
    """A line per cloud. Credentials that AWS refuses are an error, with its words."""
    from sdsk8s.backends.aws.inventory import buckets

    try:
        buckets(read_site(options))
        configured = True
    except CredentialsError:
        configured = False
    rows = {name: configured and name == CLOUDS[0] for name in CLOUDS}
    if options.output == "json":
        click.echo(json.dumps({"version": 1, "clouds": [{"name": k, "configured": v} for k, v in rows.items()]}))
        return 0
    for name, good in rows.items():
        words = "configured" if good else "unimplemented or not configured"
        click.echo(f"{name}: {paint(words, 'green' if good else 'red', wanted())}")
    return 0


def asg_ls(options: Options, *, cloud: str) -> int:
    from sdsk8s.backends.aws.inventory import groups

    only_aws(cloud, "asg ls")
    return _names("groups", groups(read_site(options)), options)


def storage_ls(options: Options, *, cloud: str) -> int:
    from sdsk8s.backends.aws.inventory import buckets

    only_aws(cloud, "storage ls")
    return _names("buckets", buckets(read_site(options)), options)


def read_site(options: Options) -> Site:
    return load_site(home_folder(options.home))


def cloud_run(session: Session, plan: Plan, doing: str) -> int:
    """Run a plan of requests to a cloud. It touches no cluster, and holds no lock. doing: what the question says."""
    question = f"{doing}. Continue [y/n]"
    return conduct(session, Run(plan.verb, plan.target, lambda: Planned(plan), question=question, locked=False))


def only_aws(cloud: str, verb: str) -> None:
    if cloud != CLOUDS[0]:
        raise RefusedError(f"cloud {verb} is not implemented for {cloud}", next=f"the same command without -c {cloud}")


def _names(what: str, names: Iterable[str], options: Options) -> int:
    found = sorted(names)
    if options.output == "json":
        click.echo(json.dumps({"version": 1, what: found}))
    else:
        for name in found:
            click.echo(name)
    return 0
