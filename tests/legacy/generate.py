"""Writes tests/cases/grammar_generated.yaml: command lines over the facts of the legacy grammar.

The facts below are those of the legacy tool's contract, written down by hand; nothing here looks at our parser.
Run as a script after a change of the facts; a test holds the file to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "cases" / "grammar_generated.yaml"
WORDS = ("mozart", "grq", "metrics", "factotum", "ci", "verdi", "all", "core", "sciflo")


@dataclass(frozen=True)
class Positional:
    """default "" means required. No choices: any text."""

    name: str
    choices: tuple[str, ...] = ()
    default: str = ""
    sample: str = ""

    @property
    def word(self) -> str:
        return self.sample or self.choices[0]


@dataclass(frozen=True)
class Option:
    """value "" means a flag. default: what the verb gets when the option is not typed."""

    short: str
    long: str
    name: str
    value: str = ""
    default: str = ""


@dataclass(frozen=True)
class Leaf:
    """kind: where the type selector stands: flag, positional, group, none. optional: the -c of `cloud asg|storage`."""

    path: str
    positionals: tuple[Positional, ...] = ()
    options: tuple[Option, ...] = ()
    kind: str = "flag"
    optional: tuple[str, ...] = field(default=())


def component(*choices: str, default: str = "") -> Positional:
    return Positional("component", choices, default)


FORCE = Option("-f", "--force", "yes")
BRANCH = Option("-b", "--branch", "branch", "main")
SKIP = Option("-D", "--skip-include-dependency-images", "skip")
BUCKET = Option("-b", "--bucket", "bucket", "products")
RUNNING = ("mozart", "grq", "metrics", "factotum", "all")
STORES = ("mozart", "grq", "metrics", "ci", "all")
EVERY = ("mozart", "grq", "metrics", "factotum", "ci", "verdi", "all")
COMPOSE = ("mozart", "grq", "metrics", "factotum", "ci")
REPO = Positional("repo", sample="https://host/owner/repo.git")

LEAVES = (
    Leaf("configure", kind="positional"),
    Leaf(
        "update",
        (component(*EVERY),),
        (FORCE, Option("-n", "--ndeps", "ndeps"), Option("-c", "--config-only", "config_only")),
    ),
    Leaf("kibana", (Positional("job_type", ("import", "export", "delete")),), (FORCE,)),
    Leaf("ship", (), (Option("-e", "--encrypt", "encrypt"),), kind="positional"),
    Leaf("start_tps", (component(*STORES),), (FORCE,)),
    Leaf("stop_tps", (component(*STORES),), (FORCE,)),
    Leaf("start", (component(*RUNNING),), (FORCE,)),
    Leaf("stop", (component(*RUNNING),), (FORCE,)),
    Leaf("reset", (component(*RUNNING),), (FORCE,)),
    Leaf("status", (component(*EVERY, default="all"),)),
    Leaf(
        "ci add_job",
        (REPO, Positional("storage", ("s3", "s3s", "gs", "dav", "davs"))),
        (BRANCH, Option("-k", "--token", "token")),
        kind="group",
    ),
    Leaf("ci remove_job", (REPO,), (BRANCH,), kind="group"),
    Leaf("ci build_job", (REPO,), (BRANCH,), kind="group"),
    Leaf("pkg ls", kind="group"),
    Leaf(
        "pkg export",
        (Positional("id", sample="container-hello:v1"),),
        (Option("-o", "--outdir", "outdir", "/tmp", "."), Option("-a", "--accounts", "accounts"), SKIP),
        kind="group",
    ),
    Leaf("pkg import", (Positional("file", sample="hello.sdspkg.tar"),), (SKIP,), kind="group"),
    Leaf("pkg rm", (Positional("id", sample="container-hello:v1"),), kind="group"),
    Leaf("cloud ls", kind="group"),
    Leaf("cloud asg ls", kind="group", optional=("aws", "azure", "gcp")),
    Leaf("cloud asg create", kind="group", optional=("aws", "azure", "gcp")),
    Leaf("cloud storage ls", kind="group", optional=("aws", "azure", "gcp")),
    Leaf(
        "cloud storage ship_style",
        (),
        (BUCKET, Option("-e", "--encrypt", "encrypt")),
        kind="group",
        optional=("aws", "azure", "gcp"),
    ),
    Leaf(
        "cloud storage create_staging_area",
        (),
        (
            BUCKET,
            Option("-p", "--prefix", "prefix", "incoming/", "staging_area/"),
            Option("", "--suffix", "suffix", ".done"),
        ),
        kind="group",
        optional=("aws", "azure", "gcp"),
    ),
    Leaf("rules export", (), (Option("-o", "--outfile", "outfile", "rules.json", "user_rules.json"),), kind="group"),
    Leaf("rules import", (Positional("file", sample="rules.json"),), kind="group"),
    Leaf("job list", (Positional("status", sample="job-started"),), kind="none"),
    Leaf("orch init", (component(*COMPOSE, "all", "core"),), (FORCE,)),
    Leaf(
        "orch start",
        (component(*COMPOSE, "all", "core"),),
        (FORCE, Option("-r", "--release", "release", "develop", "latest")),
    ),
    Leaf("orch stop", (component(*COMPOSE, "all", "core"),), (FORCE,)),
    Leaf("orch logs", (component(*COMPOSE),), (Option("-f", "--follow", "follow"),)),
    Leaf("orch ps", (component(*COMPOSE, "all", "core"),)),
)
GROUPS = ("ci", "pkg", "cloud", "cloud asg", "cloud storage", "rules", "orch")

Case = dict[str, Any]


def does(leaf: Leaf, *given: str, **values: str) -> str:
    """The effect: verb, then name=value in alphabetical order, then the names of flags that are on."""
    known: dict[str, str] = {p.name: p.default or p.word for p in leaf.positionals}
    known |= {o.name: o.default for o in leaf.options if o.value and o.default}
    known |= {"cloud": leaf.optional[0]} if leaf.optional else {}
    known |= values
    return " ".join([leaf.path, *(f"{k}={v}" for k, v in sorted(known.items())), *sorted(given)])


def good(line: str, effect: str, **more: Any) -> Case:
    return {"line": line, "exit": 0, "stream": "none", "does": effect, **more}


def bad(line: str, **more: Any) -> Case:
    return {"line": line, "exit": 2, "stream": "err", **more}


def words(leaf: Leaf) -> str:
    """The required positionals, with a blank before."""
    return "".join(f" {p.word}" for p in leaf.positionals if not p.default)


def of_leaf(leaf: Leaf) -> Iterator[Case]:
    path, tail = leaf.path, words(leaf)
    for level in ("-h", "--help", "--he"):
        yield {"line": f"{path} {level}", "exit": 0, "stream": "out"}
    yield good(f"{path}{tail}", does(leaf))
    yield good(f"-d {path}{tail}", does(leaf, "debug"))
    yield good(f"{path}{tail} -d", does(leaf, "debug"), differs="debug-after")
    yield bad(f"{path}{tail} -x")
    yield bad(f"{path}{tail} --no-such-option")
    yield from of_positionals(leaf)
    yield from of_options(leaf)
    yield from of_type(leaf)
    for cloud in leaf.optional:
        group, _, verb = path.rpartition(" ")
        yield good(f"{group} -c {cloud} {verb}{tail}", does(leaf, cloud=cloud))
        yield good(f"{group} --cl={cloud} {verb}{tail}", does(leaf, cloud=cloud))
        yield bad(f"{path} -c {cloud}")


def of_positionals(leaf: Leaf) -> Iterator[Case]:
    path, tail = leaf.path, words(leaf)
    if leaf.kind != "positional":
        yield (
            bad(f"{path}{tail} superfluous")
            if not any(p.default for p in leaf.positionals)
            else bad(f"{path} all superfluous")
        )
    required = [p for p in leaf.positionals if not p.default]
    if required:
        yield bad(path)
    if len(required) > 1:
        yield bad(f"{path} {required[0].word}")
    for p in leaf.positionals:
        before = "".join(f" {q.word}" for q in leaf.positionals if q is not p and not q.default)
        for word in p.choices:
            yield good(f"{path}{before} {word}", does(leaf, **{p.name: word}))
        for word in WORDS if p.name == "component" else ("bogus",) if p.choices else ():
            if word not in p.choices:
                yield bad(f"{path}{before} {word}")
        if p.choices:
            yield bad(f"{path}{before} {p.word.upper()}")


def of_options(leaf: Leaf) -> Iterator[Case]:
    path, tail = leaf.path, words(leaf)
    flags = [o for o in leaf.options if not o.value]
    for o in leaf.options:
        if o.value:
            effect = does(leaf, **{o.name: o.value})
            for text in (f"{o.long} {o.value}", f"{o.long}={o.value}", f"{o.long[:4]} {o.value}"):
                yield good(f"{path} {text}{tail}", effect)
                yield good(f"{path}{tail} {text}", effect)
            if o.short:
                yield good(f"{path} {o.short} {o.value}{tail}", effect)
                yield good(f"{path}{tail} {o.short}{o.value}", effect)
                yield bad(f"{path}{tail} {o.short}")
            yield bad(f"{path}{tail} {o.long}")
        else:
            for text in (o.short, o.long, o.long[:-1], o.long[:3]):
                yield good(f"{path} {text}{tail}", does(leaf, o.name))
                yield good(f"{path}{tail} {text}", does(leaf, o.name))
            yield bad(f"{path}{tail} {o.long}=yes")
            yield bad(f"{path}{tail} {o.short}x")
    if len(flags) > 1:
        bundle = "-" + "".join(o.short[1] for o in flags)
        yield good(f"{path}{tail} {bundle}", does(leaf, *(o.name for o in flags)))
        yield good(f"{path} {bundle}{tail}", does(leaf, *(o.name for o in flags)))


def of_type(leaf: Leaf) -> Iterator[Case]:
    path, tail = leaf.path, words(leaf)
    group, _, verb = path.partition(" ")
    refused = {"exit": 1, "stream": "err"}
    if leaf.kind == "positional":
        yield good(f"{path} hysds", does(leaf))
        yield {"line": f"{path} sdskit", **refused}
        yield bad(f"{path} -t hysds")
        yield bad(f"{path} bogus")
    elif leaf.kind == "none":
        yield bad(f"{path}{tail} -t")
        yield bad(f"{group} -t {verb}{tail}")
    elif leaf.kind == "group":
        for text in ("-t hysds", "-thysds", "--type=hysds", "--ty hysds"):
            yield good(f"{group} {text} {verb}{tail}", does(leaf))
        yield {"line": f"{group} -t sdskit {verb}{tail}", **refused}
        yield bad(f"{group} -t {verb}{tail}")  # greedy: the sub-verb is taken for the type
        yield bad(f"{path}{tail} -t")
    else:
        for text in ("-t hysds", "-thysds", "--type=hysds", "--ty hysds", "-t=hysds"):
            yield good(f"{path} {text}{tail}", does(leaf))
        for text in ("-t", "--type", "--t"):
            yield good(f"{path}{tail} {text}", does(leaf))
        yield {"line": f"{path}{tail} -t sdskit", **refused}
        yield bad(f"{path}{tail} --type=bogus")
        first = leaf.positionals[0].word
        yield bad(f"{path} -t {first}")  # greedy
        if group == "orch":
            yield good(f"orch -t sdskit {verb}{tail}", does(leaf))  # the inner default overwrites the outer value


def of_group(group: str) -> Iterator[Case]:
    yield bad(group)
    yield bad(f"-d {group}")
    yield bad(f"{group} bogus")
    yield bad(f"{group} -x")
    for level in ("-h", "--help"):
        yield {"line": f"{group} {level}", "exit": 0, "stream": "out"}


def cases() -> list[Case]:
    found = [c for leaf in LEAVES for c in of_leaf(leaf)] + [c for g in GROUPS for c in of_group(g)]
    return list({c["line"]: c for c in found}.values())


def text() -> str:
    import json

    head = "# Made by tests/legacy/generate.py from the facts written there; do not edit.\n"
    return head + "".join(f"- {json.dumps(c)}\n" for c in cases())


if __name__ == "__main__":
    FILE.write_text(text())
    print(f"{FILE.name}: {len(cases())} lines")
