"""`sds cloud ls`, `cloud asg ls` and `cloud storage ls`: what there is."""

from __future__ import annotations

from collections.abc import Iterable

from legacy_shim.console import legacy_session
from sdsk8s.backends.aws.inventory import buckets, groups
from sdsk8s.console.colour import paint, wanted
from sdsk8s.errors import CredentialsError, RefusedError
from sdsk8s.planner.steps import Plan
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

CLOUDS = ("aws", "azure", "gcp")


def ls(options: Options) -> int:
    """A line per cloud. Credentials that AWS refuses are an error, with its words."""
    session = legacy_session(options)
    try:
        buckets(session.site)
        configured = True
    except CredentialsError:
        configured = False
    rows = {name: configured and name == CLOUDS[0] for name in CLOUDS}
    if options.output == "json":
        session.console.print_json({"version": 1, "clouds": [{"name": k, "configured": v} for k, v in rows.items()]})
        return 0
    for name, good in rows.items():
        words = "configured" if good else "unimplemented or not configured"
        session.console.print(f"{name}: {paint(words, 'green' if good else 'red', wanted())}")
    return 0


def asg_ls(options: Options, *, cloud: str) -> int:
    only_aws(cloud, "asg ls")
    session = legacy_session(options)
    return _print_names(session, "groups", groups(session.site))


def storage_ls(options: Options, *, cloud: str) -> int:
    only_aws(cloud, "storage ls")
    session = legacy_session(options)
    return _print_names(session, "buckets", buckets(session.site))


def cloud_run(session: Session, plan: Plan, doing: str) -> int:
    """Run a plan of requests to a cloud. It touches no cluster, and holds no lock. doing: what the question says."""
    question = f"{doing}. Continue [y/n]"
    return conduct(session, Run(plan.verb, plan.target, lambda: Planned(plan), question=question, locked=False))


def only_aws(cloud: str, verb: str) -> None:
    if cloud != CLOUDS[0]:
        raise RefusedError(
            f"cloud {verb} is not implemented for {cloud}", next=f"run the same command without -c {cloud}"
        )


def _print_names(session: Session, what: str, names: Iterable[str]) -> int:
    found = sorted(names)
    if session.options.json:
        session.console.print_json({"version": 1, what: found})
    for name in () if session.options.json else found:
        session.console.print(name)
    return 0
