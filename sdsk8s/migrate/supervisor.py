"""Reads supervisord configurations: includes, expansions, environment; every key gets a verdict."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from supervisor.datatypes import dict_of_key_value_pairs

from sdsk8s.errors import ConfigError
from sdsk8s.migrate.findings import CHANGED, NONE, TAKEN, Finding, Program

SAME = {
    "command": "command of the container",
    "environment": "environment of the container",
    "process_name": "names of processes are names of pods",
    "redirect_stderr": "both streams are the pod's log",
}
OTHERWISE = {
    "autorestart": "a pod's program is always started again, with growing pauses",
    "directory": "working directory of the container; paths below OPS_HOME are mapped",
    "exitcodes": "every end of the program is a restart",
    "killasgroup": "the whole container is ended",
    "numprocs_start": "pods have no numbers",
    "priority": "start order comes from `needs` and from readiness, not from a number",
    "startretries": "restarts do not stop; `status` shows them",
    "startsecs": "minReadySeconds of the Deployment",
    "stopasgroup": "the signal goes to the container's first process only",
    "umask": "set it in the command",
    "user": "pods run as uid 10001",
}
_LOGS = re.compile(r"(stdout|stderr)_(logfile|capture|events|syslog).*")
_LINE = re.compile(r"\s*([A-Za-z0-9_]+)\s*[=:]")
_SIGNALS = {"TERM", "HUP", "INT", "QUIT", "KILL", "USR1", "USR2"}


@dataclass
class Supervised:
    """What one tree of files holds."""

    programs: list[Program] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_supervisor(path: Path, component: str, values: Mapping[str, object]) -> Supervised:
    """path: a configuration, or the legacy template of one (Jinja2, rendered with values).

    ConfigError for a file that cannot be read; anything inside that has no counterpart is a finding.
    """
    out = Supervised()
    texts = list(_files(path, values, out, set()))
    shared: dict[str, str] = {}
    for file, text, original in texts:
        sections = _sections(file, text)
        lines = _lines(text, original)
        if sections.has_section("supervisord") and sections.has_option("supervisord", "environment"):
            shared |= _environment(sections["supervisord"]["environment"], file, lines.get("supervisord", {}))
        for section in sections.sections():
            _section(out, sections[section], section, component, str(file), lines.get(section, {}), shared)
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
            out.findings.append(Finding(NONE, f"include {pattern}", "no file is there", str(path), line))
        for hit in hits:
            if hit.resolve() not in seen:
                yield from _files(hit, values, out, seen)


def _sections(path: Path, text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    try:
        parser.read_string(text, str(path))
    except configparser.Error as err:
        raise ConfigError("this is no supervisord configuration", target=str(path), words=str(err)) from None
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


def _section(
    out: Supervised,
    section: configparser.SectionProxy,
    title: str,
    component: str,
    file: str,
    lines: Mapping[str, int],
    shared: Mapping[str, str],
) -> None:
    def tell(kind: str, subject: str, words: str, key: str = "") -> None:
        out.findings.append(Finding(kind, subject, words, file, lines.get(key) or lines.get("", 0)))

    kind, _, name = title.partition(":")
    if kind == "program":
        out.programs.append(_program(section, name, component, file, lines, shared, tell))
    elif kind == "group":
        tell(CHANGED, title, "a group has no name of its own: its programs are workloads of the component")
    elif kind == "eventlistener":
        tell(NONE, title, "nobody sends supervisord's events: readiness and liveness probes watch the program")
    elif kind == "fcgi-program":
        tell(NONE, title, "a socket shared by processes has no counterpart: let the program listen on a port")
    elif title == "inet_http_server":
        tell(NONE, title, "supervisord's web port is not exposed: `sds status`, `sdsk8s logs` and kubectl replace it")
    elif title in ("supervisord", "unix_http_server", "supervisorctl", "rpcinterface:supervisor", "include"):
        tell(TAKEN, title, "Kubernetes keeps the programs; `sds status` shows them")
        for key in set(section) - {"environment", "files", "logfile", "pidfile", "nodaemon"}:
            if title == "supervisord":
                tell(CHANGED, f"{title} {key}", "nothing reads it: the node and the pod's spec set such limits", key)
    else:
        tell(NONE, title, "not a part of supervisord that is known here")


def _program(
    section: configparser.SectionProxy,
    name: str,
    component: str,
    file: str,
    lines: Mapping[str, int],
    shared: Mapping[str, str],
    tell: object,
) -> Program:
    assert callable(tell)
    label = f"program {name}"
    here = str(Path(file).parent)

    def text(key: str, fallback: str = "") -> str:
        value = str(section.get(key, fallback))
        value = value.replace("%(program_name)s", name).replace("%(group_name)s", name).replace("%(here)s", here)
        # Every process is a pod of its own, whose host name tells it from the others.
        return re.sub(r"%\(process_num\)\d*[ds]", lambda m: "00" if "2" in m.group() else "0", value)

    command, environment = text("command"), text("environment")
    own = _environment(environment, Path(file), lines) if environment else {}
    for key in section:
        subject = f"{label} {key}"
        if key in SAME:
            tell(TAKEN, subject, SAME[key], key)
        elif key in OTHERWISE:
            tell(CHANGED, subject, OTHERWISE[key], key)
        elif key == "numprocs":
            how = TAKEN if section[key] == "1" else CHANGED
            tell(how, subject, f"replicas: {section[key]}", key)
        elif key in ("stopsignal", "stopwaitsecs"):
            pass
        elif key == "autostart":
            off = section[key].lower() in ("false", "0", "no", "off")
            tell(CHANGED if off else TAKEN, subject, "0 replicas until `kubectl scale`" if off else "started", key)
        elif _LOGS.fullmatch(key):
            tell(CHANGED, subject, "logs go to stdout: `sdsk8s logs`", key)
        else:
            tell(NONE, subject, "nothing on Kubernetes reads it", key)
    if not command:
        tell(NONE, label, "it has no command")
    for variable in re.findall(r"%\(ENV_(\w+)\)s", command + environment):
        tell(CHANGED, f"{label} ENV_{variable}", f"${variable} of the container's environment is read instead")
    signal, grace = text("stopsignal", "TERM").upper().removeprefix("SIG"), text("stopwaitsecs", "10")
    if "stopsignal" in section:
        if signal not in _SIGNALS:
            tell(NONE, f"{label} stopsignal", f"{signal} is no signal that supervisord knows", "stopsignal")
        elif signal == "TERM":
            tell(TAKEN, f"{label} stopsignal", "TERM is what pods get", "stopsignal")
        else:
            tell(CHANGED, f"{label} stopsignal", f"pods get TERM: a preStop command has to send {signal}", "stopsignal")
    if "stopwaitsecs" in section:
        tell(TAKEN, f"{label} stopwaitsecs", f"terminationGracePeriodSeconds: {grace} or more", "stopwaitsecs")
    return Program(
        component, name, re.sub(r"%\(ENV_(\w+)\)s", r"${\1}", command).replace("%%", "%"), file, lines.get("", 0),
        tuple({**shared, **own}.items()), text("directory"), _number(section.get("numprocs"), 1),
        signal if signal in _SIGNALS else "TERM", _number(grace, 10),
        text("autostart", "true").lower() not in ("false", "0", "no", "off"),
    )  # fmt: skip


def _number(text: str | None, fallback: int) -> int:
    return int(text) if text and text.strip().isdigit() else fallback


def _environment(text: str, file: Path, lines: Mapping[str, int]) -> dict[str, str]:
    try:
        found = dict_of_key_value_pairs(re.sub(r"%\(ENV_(\w+)\)s", r"$(\1)", text).replace("%%", "%"))
    except ValueError as err:
        raise ConfigError(
            "this environment cannot be read", target=f"{file}:{lines.get('environment', 0)}", words=str(err)
        ) from None
    return {str(k): str(v) for k, v in found.items()}
