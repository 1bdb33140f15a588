"""Legacy verbs that have no counterpart on Kubernetes yet: the whole grammar is known, the answer is a refusal.

A wrong command line still ends with 2, so that scripts find their typing errors; a right one ends with 1 and names
what to do instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from legacy_shim.choices import ALL, components
from legacy_shim.grammar import (
    HELP,
    Verb,
    VerbGroup,
    argument,
    debug_option,
    flag,
    force_option,
    type_argument,
    type_option,
    value,
)
from legacy_shim.operations import refuse_type

CLOUDS = ("aws", "azure", "gcp")
STORAGE = ("s3", "s3s", "gs", "dav", "davs")
INSTEAD = {
    "configure": "edit SDS_HOME/config and SDS_HOME/files; `sdsk8s doctor` checks them",
    "kibana": "Kibana's own saved objects API",
    "ship": "workers get their code in images: `sds update COMPONENT`",
    "start_tps": "`sds start COMPONENT` starts the stores that it needs; `sdsk8s start STORE` starts one",
    "stop_tps": "`sdsk8s stop STORE`, or `sdsk8s stop COMPONENT --stores`",
    "ci": "your own Jenkins: it stays where it is",
    "pkg": "the legacy sds on a host that reaches the site's search engine",
    "cloud": "the cloud's own tools; replicas are set with `kubectl scale`",
    "rules": "the legacy sds on a host that reaches the site's search engine",
    "job": "the job management API or its web page",
    "orch init": "`sds update COMPONENT`",
    "orch start": "`sds start COMPONENT`",
    "orch stop": "`sds stop COMPONENT`",
    "orch logs": "`sdsk8s logs -f COMPONENT`",
    "orch ps": "`sds status`",
    "orch run": "`kubectl run`, or `kubectl exec` in a pod that `sds status` names",
}


def build(name: str, help: str) -> click.Command:
    """The command of one of these verbs, grammar included."""
    return _BUILDERS[name](name, help)


def _leaf(name: str, *params: click.Parameter, path: str = "", help: str = "", **kw: Any) -> Verb:
    full = f"{path} {name}".strip()

    def call(kind: str = "", **_: Any) -> int:
        refuse_type(full, kind or _outer_kind())
        from sdsk8s.errors import RefusedError

        instead = INSTEAD.get(full) or INSTEAD[full.split()[0]]
        raise RefusedError(f"sds {full} is not available on Kubernetes yet", next=instead)

    return Verb(name, help=help, params=[*params, debug_option()], callback=call, **kw)


def _outer_kind() -> str:
    """-t of the group around a sub-verb."""
    ctx: click.Context | None = click.get_current_context()
    while ctx is not None:
        if ctx.params.get("kind"):
            return str(ctx.params["kind"])
        ctx = ctx.parent
    return "hysds"


def _group(name: str, help: str, *verbs: Verb | VerbGroup, params: list[click.Parameter] | None = None) -> VerbGroup:
    return VerbGroup(name, verbs, help=help, params=params if params is not None else [type_option()])


def _typed(name: str, help: str) -> Verb:
    return _leaf(name, type_argument(), help=help)


def _ship(name: str, help: str) -> Verb:
    return _leaf(name, type_argument(), flag("-e", "--encrypt", "encrypt", "Encrypt the bundles."), help=help)


def _kibana(name: str, help: str) -> Verb:
    return _leaf(name, argument("job_type", ["import", "export", "delete"]), force_option(), type_option(), help=help)


def _tps(name: str, help: str) -> Verb:
    return _leaf(name, argument("component", components(name, ALL)), force_option(), type_option(), help=help)


def _ci(name: str, help: str) -> VerbGroup:
    def branch() -> click.Option:
        return value("-b", "--branch", "branch", "Branch; release tags when left out.")

    token = flag("-k", "--token", "token", "Ask for a token.")
    return _group(
        name,
        help,
        _leaf("add_job", argument("repo"), argument("storage", STORAGE), branch(), token, path=name),
        _leaf("remove_job", argument("repo"), branch(), path=name),
        _leaf("build_job", argument("repo"), branch(), path=name),
    )


def _pkg(name: str, help: str) -> VerbGroup:
    def skip() -> click.Option:
        return flag("-D", "--skip-include-dependency-images", "skip", "Leave dependency images out.")

    outdir = value("-o", "--outdir", "outdir", "Folder.", default=".")
    accounts = flag("-a", "--accounts", "accounts", "With accounts.")
    return _group(
        name,
        help,
        _leaf("ls", path=name),
        _leaf("export", argument("id"), outdir, accounts, skip(), path=name),
        _leaf("import", argument("file"), skip(), path=name),
        _leaf("rm", argument("id"), path=name),
    )


def _cloud(name: str, help: str) -> VerbGroup:
    def cloud() -> list[click.Parameter]:
        return [value("-c", "--cloud", "cloud", "Which cloud.", type=click.Choice(CLOUDS), default=CLOUDS[0])]

    def bucket() -> click.Option:
        return value("-b", "--bucket", "bucket", "Bucket.")

    asg, storage = f"{name} asg", f"{name} storage"
    return _group(
        name,
        help,
        _leaf("ls", path=name),
        _group("asg", "Autoscaling groups.", _leaf("ls", path=asg), _leaf("create", path=asg), params=cloud()),
        _group(
            "storage",
            "Buckets.",
            _leaf("ls", path=storage),
            _leaf("ship_style", bucket(), flag("-e", "--encrypt", "encrypt", "Encrypt."), path=storage),
            _leaf(
                "create_staging_area",
                bucket(),
                value("-p", "--prefix", "prefix", "Prefix.", default="staging_area/"),
                value("", "--suffix", "suffix", "Suffix."),
                path=storage,
            ),
            params=cloud(),
        ),
    )


def _rules(name: str, help: str) -> VerbGroup:
    outfile = value("-o", "--outfile", "outfile", "File.", default="user_rules.json")
    return _group(name, help, _leaf("export", outfile, path=name), _leaf("import", argument("file"), path=name))


def _job(name: str, help: str) -> VerbGroup:
    # Alone it prints the whole help, as `sds` alone does; every other group without a sub-verb is an error.
    def alone() -> int | None:
        ctx = click.get_current_context()
        if ctx.invoked_subcommand is not None:
            return None
        click.echo(ctx.find_root().get_help(), err=True)
        return 1

    verbs = [_leaf("list", argument("status"), path=name)]
    return VerbGroup(name, verbs, help=help, params=[], callback=alone, invoke_without_command=True)


def _orch(name: str, help: str) -> VerbGroup:
    parts = components(name)
    every = [*parts, ALL, "core"]

    def which(words: list[str]) -> click.Argument:
        return argument("component", words)

    release = value("-r", "--release", "release", "Release.", default="latest")
    follow = flag("-f", "--follow", "follow", "Go on printing.")
    rest = click.Argument(["command"], nargs=-1, type=click.UNPROCESSED)
    verbatim = {**HELP, "allow_interspersed_args": False, "ignore_unknown_options": False}
    return _group(
        name,
        help,
        _leaf("init", which(every), force_option(), type_option(), path=name),
        _leaf("start", which(every), force_option(), release, type_option(), path=name),
        _leaf("stop", which(every), force_option(), type_option(), path=name),
        _leaf("logs", which(parts), follow, type_option(), path=name),
        _leaf("ps", which(every), type_option(), path=name),
        _leaf("run", which(parts), rest, type_option(), path=name, context_settings=verbatim),
    )


_BUILDERS: dict[str, Callable[[str, str], click.Command]] = {
    "configure": _typed,
    "kibana": _kibana,
    "ship": _ship,
    "start_tps": _tps,
    "stop_tps": _tps,
    "ci": _ci,
    "pkg": _pkg,
    "cloud": _cloud,
    "rules": _rules,
    "job": _job,
    "orch": _orch,
}
