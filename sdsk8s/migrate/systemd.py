"""Reads unit files of systemd: services become programs or the work of timers, known ones are stores."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sdsk8s.errors import ConfigError
from sdsk8s.migrate.notation import from_marks, marked
from sdsk8s.migrate.old_programs import OldProgram, Timer
from sdsk8s.model.finding import CHANGED, NONE, TAKEN, Finding

_SAME = {"Description", "ExecStart", "Environment", "Type", "Documentation"}
_TIMER = {"OnCalendar", "Unit", "Description", "Documentation"}
_LOST = {
    "EnvironmentFile": "pass the file with --settings",
    "ExecStartPre": "put it in front of the program's command",
    "ExecStop": "pods are stopped by a signal: use KillSignal, or a preStop command",
    "OnBootSec": "pods do not boot",
    "RandomizedDelaySec": "a CronJob starts at its minute",
}
_CHANGED = {
    "Restart": "a pod's program is always restarted", "RestartSec": "the delay between restarts grows automatically",
    "User": "pods run as uid 10001", "Group": "pods run as gid 10001",
    "WorkingDirectory": "working directory of the container", "After": "order comes from `needs` and from readiness",
    "Wants": "order comes from `needs`", "Requires": "order comes from `needs`",
    "OnUnitActiveSec": "runs at fixed times, not at an interval after the last run",
    "Persistent": "a missed run starts within 300 s",
    "WantedBy": "replicas say whether it runs", "TimeoutStopSec": "grace period", "KillSignal": "see the workload",
    "StandardOutput": "logs go to stdout", "StandardError": "logs go to stdout",
    "LimitNOFILE": "the node sets such limits",
}  # fmt: skip


@dataclass
class Units:
    """What a set of unit files holds."""

    programs: list[OldProgram] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class _Unit:
    """values: {key: [(value, line)]}"""

    path: Path
    component: str
    values: Mapping[str, list[tuple[str, int]]]

    def last(self, key: str, fallback: str = "") -> tuple[str, int]:
        return self.values.get(key, [(fallback, 0)])[-1]


def read_units(given: Iterable[tuple[str, Path]], stores: Mapping[str, str]) -> Units:
    """stores: {unit: store of the catalogue}. The service of a timer is its work, any other one a program."""
    out = Units()
    units = [_Unit(path, component, _values(path)) for component, path in given]
    services = {u.path.name: u for u in units if u.path.suffix == ".service"}
    timed: set[str] = set()
    for unit in (u for u in units if u.path.suffix == ".timer"):
        name = unit.last("Unit", unit.path.stem + ".service")[0]
        timed.add(name)
        _timer(out, unit, services.get(name), name)
    for unit in units:
        path = unit.path
        if path.suffix not in (".service", ".timer"):
            words = f"units of this kind ({path.suffix or 'none'}) have no counterpart"
            out.findings.append(Finding(NONE, path.name, words, str(path)))
            _keys(out, unit, set(), NONE)
        elif path.suffix == ".service" and path.stem in stores:
            words = f"replaced by the store {stores[path.stem]} of the catalogue"
            out.findings.append(Finding(CHANGED, path.name, words, str(path)))
            _keys(out, unit, set(), CHANGED)
        elif path.suffix == ".service":
            _keys(out, unit, _SAME)
            program = _program(out, unit)
            if program and path.name not in timed:
                out.programs.append(program)
            elif program:
                out.findings.append(Finding(TAKEN, path.name, "the work of its timer", str(path)))
    return out


def _values(path: Path) -> dict[str, list[tuple[str, int]]]:
    try:
        rows = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError("this unit file cannot be read", target=str(path), words=str(err)) from None
    found: dict[str, list[tuple[str, int]]] = {}
    for line, number in _joined(rows):
        key, equals, value = line.partition("=")
        if equals:
            found.setdefault(key.strip(), []).append((value.strip(), number))
    return found


def _joined(rows: list[str]) -> Iterator[tuple[str, int]]:
    """Lines with their continuations; comments and section heads are left out, even between continued lines."""
    text, start = "", 0
    for number, raw in enumerate(rows, 1):
        row = raw.strip()
        if row.startswith(("#", ";")) or (not text and row.startswith("[")):
            continue
        text, start = text + row, start or number
        if text.endswith("\\"):
            text = text[:-1] + " "
            continue
        if text:
            yield text, start
        text, start = "", 0


def _keys(out: Units, unit: _Unit, same: set[str], every: str = "") -> None:
    for key, entries in unit.values.items():
        for i, (_, line) in enumerate(entries):
            kind, words = (TAKEN, "same meaning") if key in same else (CHANGED, _CHANGED.get(key, ""))
            if every:
                kind, words = every, "see the unit"
            elif key == "ExecStart" and i and same is _SAME:
                kind, words = NONE, "second command of one unit: make it a separate program"
            elif not words:
                kind, words = NONE, _LOST.get(key, "not used on Kubernetes")
            owner = f"{unit.component}: {unit.path.stem} {key}" if unit.path.suffix == ".service" else ""
            number = f" ({i + 1})" if i else ""
            subject = f"{unit.path.name} {key}{number}"
            out.findings.append(Finding(kind, subject, words, str(unit.path), line, owner))


def _program(out: Units, unit: _Unit) -> OldProgram | None:
    path = unit.path
    command, line = unit.values.get("ExecStart", [("", 0)])[0]
    if not command:
        out.findings.append(Finding(NONE, path.name, "it has no ExecStart", str(path)))
        return None
    if unit.last("Type", "simple")[0] == "forking":
        words = "it runs in the background: a pod needs a program in the foreground"
        out.findings.append(Finding(NONE, path.name, words, str(path), unit.last("Type")[1]))
        return None
    environment, trouble = {}, ""
    argv: tuple[str, ...] = ()
    try:
        for text, _ in unit.values.get("Environment", ()):
            for part in shlex.split(text):
                var, _, value = part.partition("=")
                environment[var] = from_marks(value.replace("%%", "%"))
        argv = tuple(from_marks(_variables(w)) for w in shlex.split(command.lstrip("-@+!:")))
    except ValueError as err:
        trouble = f"its command cannot be read: {err}"
    odd = re.search(r"(?<!%)%(?!%)[A-Za-z]", command)
    if odd:
        trouble = f"the specifier {odd.group()} has no counterpart"
    grace = re.match(r"\d+", unit.last("TimeoutStopSec")[0])
    return OldProgram(
        unit.component, path.stem, command.lstrip("-@+!:"), str(path), line, tuple(environment.items()),
        unit.last("WorkingDirectory")[0], 1, unit.last("KillSignal", "TERM")[0].removeprefix("SIG"),
        int(grace.group()) if grace else 90, True, argv, trouble=trouble,
    )  # fmt: skip


def _variables(word: str) -> str:
    return re.sub(
        r"\$\{(\w+)\}|^\$(\w+)$|\$\$|%%",
        lambda m: marked(m.group(1) or m.group(2)) if m.group(1) or m.group(2) else m.group()[0],
        word,
    )


def _timer(out: Units, unit: _Unit, service: _Unit | None, name: str) -> None:
    def tell(kind: str, words: str, line: int = 0) -> None:
        out.findings.append(Finding(kind, unit.path.name, words, str(unit.path), line))

    _keys(out, unit, _TIMER)
    if service is None:
        tell(NONE, f"its service {name} is missing: pass its unit file too")
        return
    program = _program(Units(), service)
    whens = [("OnCalendar", *e) for e in unit.values.get("OnCalendar", ())]
    whens += [("OnUnitActiveSec", *e) for e in unit.values.get("OnUnitActiveSec", ())]
    if len(whens) != 1 or program is None or program.trouble:
        tell(
            NONE, "expected one schedule and one command, as a CronJob has" if program else "its service has no command"
        )
        return
    key, value, line = whens[0]
    schedule = calendar(value) if key == "OnCalendar" else _every(value)
    if not schedule:
        tell(NONE, f"{key}={value} cannot be a CronJob schedule: write five fields of cron", line)
        return
    out.timers.append(
        Timer(unit.component, unit.path.stem, schedule, program.command, str(unit.path), line, program.environment,
              argv=program.argv)
    )  # fmt: skip


_WORDS = {
    "minutely": "* * * * *", "hourly": "0 * * * *", "daily": "0 0 * * *", "weekly": "0 0 * * 1",
    "monthly": "0 0 1 * *", "yearly": "0 0 1 1 *", "annually": "0 0 1 1 *",
}  # fmt: skip
_CALENDAR = re.compile(
    r"(?:([A-Za-z][A-Za-z.,]*) +)?(?:(\*|\d{4})-(\*|\d\d?)-(\*|\d\d?) +)?([\d*/,]+):([\d*/,]+)(?::0?0)?"
)


def calendar(text: str) -> str:
    """Five fields of cron for a calendar expression, or "" for one that cron cannot say."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    m = _CALENDAR.fullmatch(text.strip())
    if not m or m.group(2) not in (None, "*"):
        return ""
    days = (m.group(1) or "*").replace("..", "-").upper()
    if not re.fullmatch(r"\*|(MON|TUE|WED|THU|FRI|SAT|SUN)([,-](MON|TUE|WED|THU|FRI|SAT|SUN))*", days):
        return ""
    # cron runs when either the day of the month or that of the week fits, systemd when both do
    if days != "*" and m.group(4) not in (None, "*"):
        return ""
    if "SUN" in days[-3:] and "-" in days:
        return ""
    return " ".join(
        [_field(m.group(6), 59), _field(m.group(5), 23), _field(m.group(4), 31), _field(m.group(3), 12), days]
    )


def _field(text: str | None, most: int) -> str:
    """`a/n` counts up from a; cron writes that with an end."""
    parts = []
    for part in (text or "*").split(","):
        start, slash, step = part.partition("/")
        start = start if start == "*" else str(int(start))
        parts.append(f"{start}-{most}/{step}" if slash and start != "*" else start + slash + step)
    return ",".join(parts)


def _every(text: str) -> str:
    m = re.fullmatch(r"(\d+) *(min|m|minutes?|h|hr|hours?|s|sec)?", text.strip())
    if not m:
        return ""
    unit = m.group(2) or "s"
    seconds = int(m.group(1)) * (1 if unit.startswith("s") else 3600 if unit.startswith("h") else 60)
    if seconds % 60 or not seconds:
        return ""
    minutes = seconds // 60
    if minutes < 60 and 60 % minutes == 0:
        return f"*/{minutes} * * * *"
    return f"0 */{minutes // 60} * * *" if minutes % 60 == 0 and minutes < 1440 and 1440 % minutes == 0 else ""
