"""The legacy verb tree: positionals, options and defaults of every verb. What a verb does: legacy_shim/hooks.py."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from legacy_shim.choices import ALL, components
from legacy_shim.grammar import (
    TYPES,
    Added,
    OptionalValue,
    Verb,
    VerbGroup,
    argument,
    flag,
    force_option,
    type_argument,
    type_option,
    value,
)
from legacy_shim.hooks import HOOKS, INSTEAD
from legacy_shim.verbs import ABOUT, VERBS
from sdsk8s.verbs.options import Options, from_environment

CLOUDS = ("aws", "azure", "gcp")
STORAGE = ("s3", "s3s", "gs", "dav", "davs")


def build(name: str) -> click.Command:
    """The command of a first-level verb, sub-verbs included. KeyError when there is none."""
    made = _BUILDERS[name](name)
    made.help = VERBS[name]
    return made


class Sds(VerbGroup):
    """The root: builds a verb when it is typed."""

    def helps(self, ctx: click.Context) -> list[tuple[str, str]]:
        return list(VERBS.items())

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return build(cmd_name) if cmd_name in VERBS else None


def root() -> Sds:
    """The whole tree as one click command."""
    return Sds("sds", help=ABOUT, params=[flag("-d", "--debug", "debug", "tell more on stderr")])


def _leaf(path: str, *params: click.Parameter, help: str = "") -> Verb:
    """A verb that does something. path: all its words."""
    taken = {o for p in params for o in p.opts}
    added: list[click.Parameter] = [Added(["-d", "--debug", "debug"], is_flag=True, help="tell more on stderr")]
    hook = HOOKS.get(path)
    if hook and hook.plans:
        added.append(Added(["--dry-run", "dry_run"], is_flag=True, help="print the plan and stop"))
        added.append(
            Added(["--print-kubectl", "print_kubectl"], is_flag=True, help="print the plan's kubectl commands and stop")
        )
    if hook and hook.json:
        names = ["--output"] if "-o" in taken else ["-o", "--output"]
        added.append(Added([*names, "output"], type=click.Choice(["text", "json"]), help="form of the result"))
    return Verb(path.split()[-1], help=help, params=[*params, *added], callback=partial(_do, path))


def _do(path: str, **values: Any) -> int:
    _refuse_type(path, values.pop("kind", None) or _outer("kind") or TYPES[0])
    hook = HOOKS.get(path)
    if hook is None:
        from sdsk8s.errors import RefusedError

        instead = INSTEAD.get(path) or INSTEAD[path.split()[0]]
        raise RefusedError(f"sds {path} is not available on Kubernetes yet", next=instead)
    options = _options(values)
    if (options.dry_run or options.print_kubectl) and not (hook.plans or hook.reads):
        from sdsk8s.errors import RefusedError

        raise RefusedError(f"sds {path} cannot show its plan", next="unset SDS_DRY_RUN and SDS_PRINT_KUBECTL")
    return hook.load()(options, **values)


def _outer(name: str) -> Any:
    """The value of an option of a group around this verb."""
    ctx: click.Context | None = click.get_current_context().parent
    while ctx is not None:
        if ctx.params.get(name):
            return ctx.params[name]
        ctx = ctx.parent
    return None


def _options(values: dict[str, Any]) -> Options:
    """Takes the shared options out of the values; what has no letter here comes from the SDS_* variables."""
    typed: dict[str, Any] = {
        name: values.pop(name) for name in ("debug", "dry_run", "print_kubectl", "output") if name in values
    }
    typed["debug"] = typed["debug"] or bool(_outer("debug"))
    typed["yes"] = values.pop("force", False)
    cloud = _outer("cloud")
    if cloud:
        values["cloud"] = cloud
    options = from_environment(os.environ, **typed)
    if options.debug:
        import logging

        logging.getLogger("sdsk8s").setLevel(logging.DEBUG)
    return options


def _refuse_type(verb: str, kind: str) -> None:
    """Only one type was ever implemented; the legacy tool said so for the other one as well, with exit code 1."""
    if kind != TYPES[0]:
        from sdsk8s.errors import RefusedError

        raise RefusedError(f"{verb} is not implemented for the type {kind}", next=f"the same command without -t {kind}")


def _group(
    name: str, *verbs: click.Command, help: str = "", params: list[click.Parameter] | None = None, needs: bool = True
) -> VerbGroup:
    return VerbGroup(
        name, verbs, help=help, params=[type_option()] if params is None else params, needs_verb=needs
    )  # fmt: skip


def _operation(name: str) -> Verb:
    """start, stop, reset, start_tps, stop_tps."""
    return _leaf(name, type_option(), argument("component", components(name, ALL)), force_option())


def _update(name: str) -> Verb:
    return _leaf(
        name,
        type_option(),
        argument("component", components(name, ALL)),
        force_option(),
        flag("-n", "--ndeps", "ndeps", "keep the dependencies that run; only the code is new"),
        flag("-c", "--config-only", "config_only", "configuration only: no image is built or changed"),
    )


def _status(name: str) -> Verb:
    which = argument("component", components(name, ALL), required=False, default=ALL)
    return _leaf(name, type_option(), which)


def _kibana(name: str) -> Verb:
    return _leaf(name, type_option(), force_option(), argument("job_type", ["import", "export", "delete"]))


def _configure(name: str) -> Verb:
    return _leaf(
        name,
        type_argument(),
        _unasked("do not ask before changing what is there"),
        *_answers("YAML file of answers; nothing is asked"),
        Added(["--secrets-from-stdin", "stdin"], is_flag=True, help="read KEY=VALUE lines of secrets from stdin"),
    )


def _unasked(help: str = "do not ask") -> click.Option:
    """-f where the legacy tool had none."""
    return Added(["-f", "--force", "force"], is_flag=True, help=help)


def _answers(help: str = "YAML file of answers") -> list[click.Option]:
    return [
        Added(["--from", "source"], help=help),
        Added(["--set", "assignments"], multiple=True, help="KEY=VALUE, one answer; not for secrets"),
    ]


def _ship(name: str) -> Verb:
    return _leaf(name, type_argument(), flag("-e", "--encrypt", "encrypt", "encrypt the bundles"))


def _ci(name: str) -> VerbGroup:
    def branch() -> click.Option:
        return value("-b", "--branch", "branch", "branch; release tags when left out")

    def repo() -> click.Argument:
        return argument("repo")

    token = flag("-k", "--token", "token", "use the configured OAuth token")
    return _group(
        name,
        _leaf("ci add_job", repo(), argument("storage", STORAGE), branch(), token, help="add a Jenkins job"),
        _leaf("ci remove_job", repo(), branch(), help="remove a Jenkins job"),
        _leaf("ci build_job", repo(), branch(), help="build a Jenkins job and wait"),
    )


def _pkg(name: str) -> VerbGroup:
    def skip() -> click.Option:
        return flag("-D", "--skip-include-dependency-images", "skip", "leave dependency images out")

    outdir = value("-o", "--outdir", "outdir", "folder of the package", default=".")
    accounts = flag("-a", "--accounts", "accounts", "keep the allowed accounts")
    return _group(
        name,
        _leaf("pkg ls", help="list package ids"),
        _leaf("pkg export", argument("id"), outdir, accounts, skip(), help="write a package"),
        _leaf("pkg import", argument("file"), skip(), help="load a package"),
        _leaf("pkg rm", argument("id"), help="remove a package"),
    )


def _cloud(name: str) -> VerbGroup:
    def cloud() -> list[click.Parameter]:
        names = ["-c", "--cloud", "cloud"]
        return [OptionalValue(names, type=click.Choice(CLOUDS), default=CLOUDS[0], help="which cloud")]

    def bucket() -> click.Option:
        return value("-b", "--bucket", "bucket", "bucket instead of the configured one")

    encrypt = flag("-e", "--encrypt", "encrypt", "encrypt")
    prefix = value("-p", "--prefix", "prefix", "prefix of the staging area", default="staging_area/")
    suffix = value("", "--suffix", "suffix", "suffix of signal files")
    homes = click.Choice(["machines", "pods"])
    workers = Added(["--workers", "workers"], type=homes, help="where workers live; default: as in site.yaml")
    asg = [
        _leaf("cloud asg ls", help="list autoscaling groups"),
        _leaf("cloud asg create", *_answers(), workers, _unasked(), help="create an autoscaling group per queue"),
    ]
    storage = [
        _leaf("cloud storage ls", help="list buckets"),
        _leaf("cloud storage ship_style", bucket(), encrypt, _unasked(), help="send the browse pages to a bucket"),
        _leaf(
            "cloud storage create_staging_area",
            bucket(),
            prefix,
            suffix,
            *_answers(),
            _unasked(),
            help="make a staging area in a bucket",
        ),
    ]
    return _group(
        name,
        _leaf("cloud ls", help="list clouds"),
        _group("asg", *asg, help="autoscaling groups", params=cloud()),
        _group("storage", *storage, help="buckets", params=cloud()),
    )


def _rules(name: str) -> VerbGroup:
    outfile = value("-o", "--outfile", "outfile", "file of the rules", default="user_rules.json")
    return _group(
        name,
        _leaf("rules export", outfile, help="write the user rules"),
        _leaf("rules import", argument("file"), help="load user rules"),
    )


def _job(name: str) -> VerbGroup:
    # Alone it prints the whole help, as `sds` alone does; every other group without a sub-verb is an error.
    return _group(name, _leaf("job list", argument("status"), help="list jobs of a status"), params=[], needs=False)


def _orch(name: str) -> VerbGroup:
    parts = components(name)
    every = [*parts, ALL, "core"]

    def which(words: list[str]) -> click.Argument:
        return argument("component", words)

    def kind() -> click.Option:
        return type_option()

    release = value("-r", "--release", "release", "image tag", default="latest")
    follow = flag("-f", "--follow", "follow", "go on printing")
    rest = click.Argument(["command"], nargs=-1, type=click.UNPROCESSED)
    return _group(
        name,
        _leaf("orch init", kind(), which(every), force_option(), help="render and apply configuration"),
        _leaf("orch start", kind(), which(every), force_option(), release, help="start components"),
        _leaf("orch stop", kind(), which(every), force_option(), help="stop components"),
        _leaf("orch logs", kind(), which(parts), follow, help="logs of components"),
        _leaf("orch ps", kind(), which(every), help="pods of components"),
        _leaf("orch run", kind(), which(parts), rest, help="run a command in a new pod"),
    )


def _fab(name: str) -> Verb:
    """Not of the legacy tool: what `fab` of Fabric 1 took."""
    return _leaf(
        name,
        click.Argument(["tasks"], nargs=-1),
        value("-f", "--fabfile", "fabfile", "the file (default: the site's cluster.py, else fabfile.py here)"),
        flag("-l", "--list", "listing", "print the tasks"),
        value("-R", "--roles", "roles", "roles, with commas between"),
        value("-H", "--hosts", "hosts", "hosts, with commas between; pod/NAME is a pod"),
        value("-x", "--exclude-hosts", "exclude", "hosts to leave out"),
        flag("-P", "--parallel", "parallel", "all hosts at once"),
        value("-z", "--pool-size", "pool_size", "how many at once"),
        flag("-w", "--warn-only", "warn_only", "failing commands only warn"),
        value("", "--hide", "hidden", "groups of output not to print, with commas between"),
        value("", "--set", "values", "KEY=VALUE of env, with commas between"),
        flag("", "--verdicts", "verdicts", "print what has become of each primitive and task"),
    )


def _help(name: str) -> Verb:
    return _leaf(name, click.Argument(["words"], nargs=-1))


def _completion(name: str) -> Verb:
    return _leaf(name, argument("shell", ["bash", "zsh", "fish"]))


_BUILDERS: dict[str, Callable[[str], click.Command]] = {
    "configure": _configure,
    "update": _update,
    "kibana": _kibana,
    "ship": _ship,
    "start_tps": _operation,
    "stop_tps": _operation,
    "start": _operation,
    "stop": _operation,
    "reset": _operation,
    "status": _status,
    "ci": _ci,
    "pkg": _pkg,
    "cloud": _cloud,
    "rules": _rules,
    "job": _job,
    "orch": _orch,
    "fab": _fab,
    "help": _help,
    "completion": _completion,
}
