"""Every verb of `sds`: what it takes, and the function that does it.

To add a verb: write its function in `legacy_shim/verbs/`, put one entry here, its words into help.yaml and its lines
into tests/cases/grammar.yaml.
"""

from __future__ import annotations

import argparse
from functools import partial

from legacy_shim.grammar import Argument, Group, Verb, added, flag, optional_value, value, word

TYPES = ("hysds", "sdskit")
"""Plug-in types of the legacy tool. Only the first one was ever implemented."""
CLOUDS = ("aws", "azure", "gcp")
STORAGE = ("s3", "s3s", "gs", "dav", "davs")
SHELLS = ("bash", "zsh", "fish")

# -- arguments that several verbs share

DEBUG = flag("--debug", "-d", dest="debug", help="verbose output on stderr")
TYPE = optional_value("--type", "-t", dest="kind", choices=TYPES, help="kind of system; optional")
TYPE_WORD = word("kind", TYPES, default=TYPES[0])
"""The positional form of `configure` and `ship`."""
FORCE = flag("--force", "-f", dest="force", help="do not ask")
UNASKED = added(FORCE)
"""-f where the legacy tool had none."""
CLOUD = optional_value("--cloud", "-c", dest="cloud", choices=CLOUDS, help="which cloud")
BUCKET = value("--bucket", "-b", dest="bucket", help="bucket instead of the configured one")
BRANCH = value("--branch", "-b", dest="branch", help="branch; release tags when left out")
SKIP = flag("--skip-include-dependency-images", "-D", dest="skip", help="skip dependency images")
ANSWERS = added(value("--from", dest="source", help="YAML file of answers", paths="file"))
SET = added(value("--set", dest="assignments", help="KEY=VALUE, one answer; not for secrets"), action="append")


def _component(verb: str, *more: str) -> Argument:
    """A component that knows the verb, or one of the words of `more`."""
    return word("component", partial(_components, verb, *more))


def _components(verb: str, *more: str) -> list[str]:
    from legacy_shim.choices import components  # reads YAML, which `sds -h` does not need

    return components(verb, *more)


def _operation(module: str, name: str, help: str) -> Verb:
    return Verb(f"verbs.{module}:{name}", help, (TYPE, _component(name, "all"), FORCE), plans=True, json=True)


# -- what a verb has because of what it honours

_OPTIONS = (
    ("plans", added(flag("--dry-run", dest="dry_run", help="print the plan and stop"))),
    ("plans", added(flag("--print-kubectl", dest="print_kubectl", help="print the plan's kubectl commands and stop"))),
    ("json", added(value("--output", "-o", dest="output", choices=("text", "json"), help="form of the result"))),
)


def arguments(path: str) -> tuple[Argument, ...]:
    """What a verb takes, its shared options included; "" is `sds` itself."""
    entry = TABLE[path]
    if isinstance(entry, Group):
        return entry.arguments
    # Typed nowhere it stays unset, so that it does not take back a `-d` before the verb.
    shared = [added(DEBUG, default=argparse.SUPPRESS)]
    shared += [option for name, option in _OPTIONS if getattr(entry, name)]
    return (*entry.arguments, *shared)


def children(path: str) -> dict[str, Verb | Group]:
    """The sub-verbs of a group by their last word."""
    start = f"{path} " if path else ""
    found = {name.removeprefix(start): entry for name, entry in TABLE.items() if name and name.startswith(start)}
    return {name: entry for name, entry in found.items() if " " not in name}


TABLE: dict[str, Verb | Group] = {
    "": Group(
        "Operate a science data system. Its components run on Kubernetes; `sdsk8s` has the modern verbs.",
        (DEBUG,),
        alone="help",
    ),
    "configure": Verb(
        "verbs.configure:configure",
        "write the site's configuration",
        (
            TYPE_WORD,
            added(UNASKED, help="do not ask before changing existing files"),
            added(ANSWERS, help="YAML file of answers; nothing is asked"),
            SET,
            added(flag("--secrets-from-stdin", dest="stdin", help="read KEY=VALUE lines of secrets from stdin")),
        ),
    ),
    "update": Verb(
        "verbs.operate:update",
        "build images and apply configuration from the site's tree; stopped components stay stopped",
        (
            TYPE,
            _component("update", "all"),
            FORCE,
            flag("--ndeps", "-n", dest="ndeps", help="keep the installed dependencies; update only the code"),
            flag("--config-only", "-c", dest="config_only", help="configuration only: no image is built or changed"),
        ),
        plans=True,
        json=True,
    ),
    "kibana": Verb(
        "verbs.kibana:kibana",
        "import, export or delete dashboards",
        (TYPE, FORCE, word("job_type", ("import", "export", "delete"))),
    ),
    "ship": Verb(
        "verbs.operate:ship",
        "ship worker bundles",
        (TYPE_WORD, flag("--encrypt", "-e", dest="encrypt", help="encrypt the bundles")),
        plans=True,
        json=True,
    ),
    "start_tps": _operation("stores", "start_tps", "start the stores of components"),
    "stop_tps": _operation("stores", "stop_tps", "stop the stores of components"),
    "start": _operation("operate", "start", "start components and wait until they are ready"),
    "stop": _operation("operate", "stop", "drain and stop components; data is kept"),
    "reset": _operation("operate", "reset", "stop, clear queues and state, start"),
    "status": Verb(
        "verbs.operate:status",
        "show which workloads run, where, and since when",
        (TYPE, word("component", partial(_components, "status", "all"), default="all")),
        reads=True,
        json=True,
    ),
    "ci": Group("continuous integration jobs", (TYPE,)),
    "ci add_job": Verb(
        "verbs.ci:add_job",
        "add a Jenkins job",
        (
            word("repo"),
            word("storage", STORAGE),
            BRANCH,
            flag("--token", "-k", dest="token", help="use the configured OAuth token"),
        ),
    ),
    "ci remove_job": Verb("verbs.ci:remove_job", "remove a Jenkins job", (word("repo"), BRANCH)),
    "ci build_job": Verb("verbs.ci:build_job", "build a Jenkins job and wait", (word("repo"), BRANCH)),
    "pkg": Group("packages of containers", (TYPE,)),
    "pkg ls": Verb("verbs.pkg:ls", "list package ids", reads=True, json=True),
    "pkg export": Verb(
        "verbs.pkg:export",
        "write a package",
        (
            word("id"),
            value("--outdir", "-o", dest="outdir", help="folder of the package", default=".", paths="dir"),
            flag("--accounts", "-a", dest="accounts", help="keep the list of allowed accounts"),
            SKIP,
        ),
        reads=True,
    ),
    "pkg import": Verb("verbs.pkg:load", "load a package", (word("file", paths="file"), SKIP)),
    "pkg rm": Verb("verbs.pkg:rm", "remove a package", (word("id"),)),
    "cloud": Group("cloud resources", (TYPE,)),
    "cloud ls": Verb("verbs.cloud:ls", "list clouds", reads=True, json=True),
    "cloud asg": Group("autoscaling groups", (CLOUD,)),
    "cloud asg ls": Verb("verbs.cloud:asg_ls", "list autoscaling groups", reads=True, json=True),
    "cloud asg create": Verb(
        "verbs.cloud_asg:create",
        "create an autoscaling group per queue",
        (
            ANSWERS,
            SET,
            added(
                value(
                    "--workers",
                    dest="workers",
                    choices=("machines", "pods"),
                    help="where workers live; default: as in site.yaml",
                )
            ),
            UNASKED,
        ),
        plans=True,
        json=True,
    ),
    "cloud storage": Group("buckets", (CLOUD,)),
    "cloud storage ls": Verb("verbs.cloud:storage_ls", "list buckets", reads=True, json=True),
    "cloud storage ship_style": Verb(
        "verbs.cloud_storage:ship_style",
        "send the browse pages to a bucket",
        (BUCKET, flag("--encrypt", "-e", dest="encrypt", help="encrypt"), UNASKED),
        plans=True,
        json=True,
    ),
    "cloud storage create_staging_area": Verb(
        "verbs.cloud_storage:create_staging_area",
        "make a staging area in a bucket",
        (
            BUCKET,
            value("--prefix", "-p", dest="prefix", help="prefix of the staging area", default="staging_area/"),
            value("--suffix", dest="suffix", help="suffix of signal files"),
            ANSWERS,
            SET,
            UNASKED,
        ),
        plans=True,
        json=True,
    ),
    "rules": Group("user rules", (TYPE,)),
    "rules export": Verb(
        "verbs.rules:export",
        "write the user rules",
        (value("--outfile", "-o", dest="outfile", help="file of the rules", default="user_rules.json", paths="file"),),
        reads=True,
    ),
    "rules import": Verb("verbs.rules:load", "load user rules", (word("file", paths="file"),)),
    "job": Group("jobs", alone="help"),
    "job list": Verb("verbs.job:listing", "list jobs of a status", (word("status"),), reads=True, json=True),
    "orch": Group("components as containers", (TYPE,)),
    "orch init": Verb(
        "verbs.orch:init",
        "render and apply configuration",
        (TYPE, _component("orch", "all", "core"), FORCE),
        plans=True,
    ),
    "orch start": Verb(
        "verbs.orch:start",
        "start components",
        (
            TYPE,
            _component("orch", "all", "core"),
            FORCE,
            value("--release", "-r", dest="release", help="image tag", default="latest"),
        ),
        plans=True,
    ),
    "orch stop": Verb(
        "verbs.orch:stop", "stop components", (TYPE, _component("orch", "all", "core"), FORCE), plans=True
    ),
    "orch logs": Verb(
        "verbs.orch:logs",
        "logs of components",
        (TYPE, _component("orch"), flag("--follow", "-f", dest="follow", help="follow the output")),
        reads=True,
    ),
    "orch ps": Verb("verbs.orch:ps", "pods of components", (TYPE, _component("orch", "all", "core")), reads=True),
    "orch run": Verb(
        "verbs.orch:run",
        "run a command in a new pod",
        (TYPE, _component("orch"), Argument(("command",), {"nargs": argparse.REMAINDER})),
    ),
    # -- not of the legacy tool
    "fab": Verb(
        "fab.command:fab",
        "tasks of the site's own Fabric file, on pods and machines",
        (
            Argument(("tasks",), {"nargs": "*"}),
            value(
                "--fabfile",
                "-f",
                dest="fabfile",
                help="the file (default: the site's cluster.py, else fabfile.py here)",
                paths="file",
            ),
            flag("--list", "-l", dest="listing", help="print the tasks"),
            value("--roles", "-R", dest="roles", help="roles, with commas between"),
            value("--hosts", "-H", dest="hosts", help="hosts, with commas between; pod/NAME is a pod"),
            value("--exclude-hosts", "-x", dest="exclude", help="hosts to leave out"),
            flag("--parallel", "-P", dest="parallel", help="all hosts at once"),
            value("--pool-size", "-z", dest="pool_size", help="how many at once"),
            flag("--warn-only", "-w", dest="warn_only", help="failing commands only warn"),
            value("--hide", dest="hidden", help="groups of output not to print, with commas between"),
            value("--set", dest="values", help="KEY=VALUE of env, with commas between"),
            flag("--verdicts", dest="verdicts", help="print the verdict on each primitive and task"),
        ),
    ),
    "help": Verb(
        "verbs.help:show",
        "show what a verb meant, what it does now, and its kubectl commands",
        (Argument(("words",), {"nargs": "*"}),),
        reads=True,
        json=True,
    ),
    "completion": Verb(
        "verbs.completion:completion", "completion script for a shell", (word("shell", SHELLS),), reads=True
    ),
}
