"""Reads supervisord configurations: includes, expansions, environment; every key gets a verdict."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from supervisor.datatypes import dict_of_key_value_pairs

from sdsk8s.errors import ConfigError
from sdsk8s.migrate.notation import from_marks, marked
from sdsk8s.migrate.old_programs import OldProgram
from sdsk8s.model.finding import CHANGED, NONE, TAKEN, Finding

SAME = {
    "command": "command of the container",
    "environment": "environment of the container",
    "process_name": "process names become pod names",
    "redirect_stderr": "both streams go to the pod's log",
    "startsecs": "minReadySeconds of the Deployment",
}
OTHERWISE = {
    "autorestart": "a pod's program is always restarted, with increasing delays",
    "directory": "working directory of the container; paths below the old home are mapped",
    "exitcodes": "the program is restarted whenever it ends",
    "killasgroup": "the whole container is stopped",
    "priority": "start order comes from `needs` and from readiness, not from a number",
    "startretries": "restarts are not limited; `status` shows them",
    "stopasgroup": "only the container's first process gets the signal",
    "umask": "set it in the command",
    "user": "pods run as uid 10001",
}
_OWN = "supervisord", "unix_http_server", "supervisorctl", "rpcinterface:supervisor", "include"
_REPLACED = {"environment", "files", "logfile", "pidfile", "nodaemon"}
_LOGS = re.compile(r"(stdout|stderr)_(logfile|capture|events|syslog).*")
_NODE = re.compile(r"(?:-n|--hostname)[ =]\S*%\(process_num\)\S*%h\S*")
_LINE = re.compile(r"\s*([A-Za-z0-9_]+)\s*[=:]")
_SIGNALS = {"TERM", "HUP", "INT", "QUIT", "KILL", "USR1", "USR2"}


@dataclass
class Supervised:
    """What one tree of files holds."""

    programs: list[OldProgram] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Origin:
    """Where a section stands. lines: {key: line, "": the section's own line}."""

    component: str
    file: str
    lines: Mapping[str, int]


def read_supervisor(path: Path, component: str, values: Mapping[str, object]) -> Supervised:
    """path: a configuration, or the legacy template of one (Jinja2, rendered with values).

    ConfigError for a file that cannot be read; anything inside that has no counterpart is a finding.
    """
    out = Supervised()
    texts = list(_files(path, values, out, set()))
    shared: dict[str, str] = {}
    groups = {n.strip(): title[6:] for file, text, _ in texts for title, s in _sections(file, text).items()
              if title.startswith("group:") for n in s.get("programs", "").split(",")}  # fmt: skip
    for file, text, original in texts:
        out.findings += _twice(file, text, original)
        sections = _sections(file, text)
        lines = _lines(text, original)
        if sections.has_section("supervisord") and sections.has_option("supervisord", "environment"):
            shared |= _environment(sections["supervisord"]["environment"], file, lines.get("supervisord", {}))
        for section in sections.sections():
            origin = Origin(component, str(file), lines.get(section, {}))
            _section(out, sections[section], origin, shared, groups)
    return out


def _files(
    path: Path, values: Mapping[str, object], out: Supervised, seen: set[Path]
) -> Iterator[tuple[Path, str, str]]:
    """(file, rendered text, text as it stands) of the file and of what it includes."""
    try:
        original = path.read_text()
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError("this supervisord configuration cannot be read", target=str(path), words=str(err)) from None
    text = original
    if "{{" in original or "{%" in original:
        try:
            text = jinja2.Environment(keep_trailing_newline=True, autoescape=False).from_string(original).render(values)
        except jinja2.TemplateSyntaxError as err:
            raise ConfigError(
                "the template has an error", target=f"{path}:{err.lineno}", words=str(err.message)
            ) from None
        except Exception as err:  # whatever a template's expression may raise is the template's fault
            raise ConfigError("the template cannot be rendered", target=str(path), words=str(err)) from None
    seen.add(path.resolve())
    yield path, text, original
    sections = _sections(path, text)
    if not sections.has_section("include"):
        return
    line = _lines(text, original).get("include", {}).get("files", 0)
    patterns = sections.get("include", "files", fallback="").replace("%(here)s", str(path.parent)).split()
    for pattern in patterns:
        base = Path(pattern) if pattern.startswith("/") else path.parent / pattern
        hits = sorted(p for p in Path(base.anchor).glob(str(base.relative_to(base.anchor)))) if base.anchor else sorted(
            base.parent.glob(base.name)
        )  # fmt: skip
        if not hits:
            out.findings.append(Finding(NONE, f"include {pattern}", "no such file", str(path), line))
        for hit in hits:
            if hit.resolve() not in seen:
                yield from _files(hit, values, out, seen)


def _sections(path: Path, text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    try:
        parser.read_string(text, str(path))
    except configparser.Error as err:
        raise ConfigError("not a supervisord configuration", target=str(path), words=str(err)) from None
    return parser


def _lines(text: str, original: str) -> dict[str, dict[str, int]]:
    """{section: {key: line, "": its own line}} in the file as it stands; loops of a template point at their header."""
    found: dict[str, dict[str, int]] = {}
    rows, same = original.splitlines(), text.count("\n") == original.count("\n")
    section = ""
    for i, row in enumerate(text.splitlines()):
        head = re.match(r"\[(.+?)\]", row)
        if head:
            section = head.group(1)
            found[section] = {"": i + 1 if same else _nearest(rows, row)}
        elif section and (key := _LINE.match(row)):
            place = i + 1 if same else _below(rows, found[section][""], key.group(1))
            found[section][key.group(1).lower()] = place
    return found


def _twice(file: Path, text: str, original: str) -> Iterator[Finding]:
    """Keys that a later line of the same section replaces, which supervisord does without a word."""
    if text.count("\n") != original.count("\n"):
        return
    seen: dict[tuple[str, str], int] = {}
    section = ""
    for number, row in enumerate(text.splitlines(), 1):
        head = re.match(r"\[(.+?)\]", row)
        key = _LINE.match(row) if row[:1].strip() else None
        if head:
            section = head.group(1)
        elif section and key:
            name = (section, key.group(1).lower())
            if name in seen:
                words = f"duplicate key: line {number} is used"
                yield Finding(NONE, f"{section.replace(':', ' ')} {name[1]}", words, str(file), seen[name])
            seen[name] = number


def _nearest(rows: list[str], wanted: str) -> int:
    for i, row in enumerate(rows):
        if row.strip() == wanted.strip():
            return i + 1
    for i, row in enumerate(rows):
        pattern = re.sub(r"\\\{\\\{.*?\\\}\\\}", ".*", re.escape(row.strip()))
        if row.startswith("[") and "{{" in row and re.fullmatch(pattern, wanted.strip()):
            return i + 1
    return 0


def _below(rows: list[str], start: int, key: str) -> int:
    for i in range(start, len(rows)):
        if rows[i].startswith("["):
            break
        if re.match(rf"{re.escape(key)}\s*[=:]", rows[i]):
            return i + 1
    return start


Tell = Callable[..., None]


def _section(
    out: Supervised,
    section: configparser.SectionProxy,
    origin: Origin,
    shared: Mapping[str, str],
    groups: Mapping[str, str],
) -> None:
    title, lines = section.name, origin.lines
    kind, _, name = title.partition(":")

    def tell(kind: str, subject: str, words: str, key: str = "", program: str = "") -> None:
        line = lines.get(key) or lines.get("", 0)
        program_key = f"{origin.component}: {program} {key}" * bool(program)
        out.findings.append(Finding(kind, subject, words, origin.file, line, program_key))

    def keys(kind: str, words: str) -> None:
        for key in section:
            tell(kind, f"{title} {key}", words, key)

    if kind == "program":
        out.programs.append(_program(section, origin, shared, groups.get(name, name), tell))
    elif kind == "group":
        tell(CHANGED, title, "group names are not used: its programs become workloads of the component")
        keys(CHANGED, "see its programs")
    elif kind == "eventlistener":
        tell(NONE, title, "supervisord's events do not exist in pods: readiness and liveness probes watch the program")
        keys(NONE, "part of the listener")
    elif kind == "fcgi-program":
        tell(NONE, title, "processes cannot share a socket in pods: let the program listen on a port")
        keys(NONE, "part of the program")
    elif title == "inet_http_server":
        tell(NONE, title, "supervisord's web port is not exposed: `sds status`, `sdsk8s logs` and kubectl replace it")
        keys(NONE, "part of the web port")
    elif title in _OWN:
        tell(TAKEN, title, "Kubernetes keeps the programs running; `sds status` shows them")
        for key in section:
            lost = title == "supervisord" and key not in _REPLACED
            words = "not used: the node and the pod's spec set such limits" if lost else "see the section"
            tell(CHANGED if lost else TAKEN, f"{title} {key}", words, key)
    else:
        tell(NONE, title, "unknown section of a supervisord configuration")
        keys(NONE, "see the section")


def _program(
    section: configparser.SectionProxy,
    origin: Origin,
    shared: Mapping[str, str],
    group: str,
    tell: Tell,
) -> OldProgram:
    name, file, lines = section.name.partition(":")[2], origin.file, origin.lines
    count, first = _number(section.get("numprocs"), 1), _number(section.get("numprocs_start"), 0)
    command, environment = str(section.get("command", "")), str(section.get("environment", ""))
    here = str(Path(file).parent)

    def text(key: str, fallback: str = "", number: int = first) -> str:
        value = str(section.get(key, fallback))
        known = {"program_name": name, "group_name": group, "here": here, "host_node_name": marked("HOSTNAME")}
        for word, meaning in known.items():
            value = value.replace(f"%({word})s", meaning)
        value = re.sub(r"%\(numprocs\)\d*[ds]", str(count), value)
        return re.sub(r"%\(process_num\)(\d*)[ds]", lambda m: f"{number:{m.group(1)}d}", value)

    # the number in a celery node's name only tells processes of one host apart; a pod is a host
    numbered = "%(process_num)" in _NODE.sub("", command) + environment
    _keys(section, name, lines, text, tell, numbered)
    trouble = "" if command else "it has no command"
    each = []
    for number in range(first, first + count) if numbered else (first,):
        try:
            argv = tuple(from_marks(w) for w in shlex.split(_marks(text("command", number=number))))
        except ValueError as err:
            argv, trouble = (), f"its command cannot be read: {err}"
        own = _environment(text("environment", number=number), Path(file), lines) if environment else {}
        each.append((argv, tuple({**shared, **own}.items())))
    left = re.search(r"%\((?!ENV_|process_num)\w+\)\w*", command + environment)
    if left and left.group() not in ("%(program_name)s", "%(group_name)s", "%(here)s", "%(host_node_name)s"):
        trouble = "" if left.group().startswith("%(numprocs)") else f"no known replacement for {left.group()}"
    for variable in sorted(set(re.findall(r"%\(ENV_(\w+)\)s", command + environment))):
        tell(CHANGED, f"{name}: ENV_{variable}", f"{variable} of the container's environment is used instead")
    signal = text("stopsignal", "TERM").upper().removeprefix("SIG")
    return OldProgram(
        origin.component, name, re.sub(r"%\(ENV_(\w+)\)s", r"${\1}", text("command")).replace("%%", "%"), file,
        lines.get("", 0), each[0][1], text("directory"), count, signal if signal in _SIGNALS else "TERM",
        _number(section.get("stopwaitsecs"), 10), _on(section.get("autostart", "true")), each[0][0],
        _number(section.get("startsecs"), 1), tuple(each) if numbered and count > 1 else (), trouble,
    )  # fmt: skip


def _keys(
    section: configparser.SectionProxy,
    name: str,
    lines: Mapping[str, int],
    text: Callable[[str, str], str],
    tell: Tell,
    numbered: bool,
) -> None:
    """A finding for every key of a program."""
    for key in section:
        value = section[key]
        kind, words = NONE, "not used on Kubernetes"
        if key in SAME:
            kind, words = TAKEN, SAME[key]
        elif key in OTHERWISE:
            kind, words = CHANGED, OTHERWISE[key]
        elif key == "numprocs":
            kind = TAKEN if value.strip() == "1" else CHANGED
            words = f"{value} Deployments: the command names the process" if numbered and kind == CHANGED else (
                f"replicas: {value}"
            )  # fmt: skip
        elif key == "numprocs_start":
            kind, words = TAKEN, "the first number"
        elif key == "autostart":
            kind, words = (TAKEN, "started") if _on(value) else (CHANGED, "0 replicas; start it with `kubectl scale`")
        elif _LOGS.fullmatch(key):
            kind, words = CHANGED, "logs go to stdout: `sdsk8s logs`"
        elif key == "stopwaitsecs":
            kind, words = TAKEN, f"terminationGracePeriodSeconds: {value} or more"
        elif key == "stopsignal":
            signal = text(key, "TERM").upper().removeprefix("SIG")
            kind, words = CHANGED, f"a preStop command sends {signal}, because Kubernetes sends TERM"
            if signal not in _SIGNALS:
                kind, words = NONE, f"{signal} is not a signal that supervisord accepts"
            elif signal == "TERM":
                kind, words = TAKEN, "Kubernetes sends TERM"
        tell(kind, f"program {name} {key}", words, key, name)


def _on(text: str) -> bool:
    return text.strip().lower() not in ("false", "0", "no", "off")


def _number(text: str | None, fallback: int) -> int:
    return int(text) if text and text.strip().isdigit() else fallback


def _marks(text: str) -> str:
    return re.sub(r"%\(ENV_(\w+)\)s|%%", lambda m: marked(m.group(1)) if m.group(1) else "%", text)


def _environment(text: str, file: Path, lines: Mapping[str, int]) -> dict[str, str]:
    try:
        found = dict_of_key_value_pairs(_marks(text))
    except ValueError as err:
        raise ConfigError(
            "this environment cannot be read", target=f"{file}:{lines.get('environment', 0)}", words=str(err)
        ) from None
    return {str(k): from_marks(str(v)) for k, v in found.items()}
