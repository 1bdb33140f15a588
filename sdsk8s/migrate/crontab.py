"""Reads crontabs (the user's form, and the system's with a user column) into timers that a CronJob can keep."""

from __future__ import annotations

import re
from pathlib import Path

from sdsk8s.errors import ConfigError
from sdsk8s.migrate.old_programs import Timer
from sdsk8s.model.finding import CHANGED, NONE, TAKEN, Finding

_NICK = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_ASSIGN = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*")
_FIELD = re.compile(r"[0-9A-Za-z*,/-]+")


def read_crontab(path: Path, component: str, with_user: bool = False) -> tuple[list[Timer], list[Finding]]:
    """with_user: the sixth column is a user, as in /etc/crontab and /etc/cron.d."""
    try:
        rows = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError("this crontab cannot be read", target=str(path), words=str(err)) from None
    timers: list[Timer] = []
    found: list[Finding] = []
    environment: dict[str, str] = {}
    zone = ""
    for number, raw in enumerate(rows, 1):
        row = raw.strip()

        def tell(kind: str, subject: str, words: str, number: int = number) -> None:
            found.append(Finding(kind, subject, words, str(path), number))

        if not row or row.startswith("#"):
            continue
        assign = _ASSIGN.fullmatch(row)
        if assign and not row.startswith("@"):
            name, value = assign.group(1), assign.group(2).strip("\"'")
            if name == "MAILTO":
                tell(NONE, "MAILTO", "no mail is sent; a failed Job stays visible in the cluster")
            elif name in ("CRON_TZ", "TZ"):
                zone = value
                tell(TAKEN, name, f"timeZone {value}")
            elif name == "SHELL":
                tell(CHANGED, name, "commands run with /bin/sh of the image")
            else:
                environment[name] = value
                tell(TAKEN, name, "environment of the CronJobs below it")
            continue
        schedule, rest = _split(row)
        if row.startswith("@reboot"):
            tell(NONE, "@reboot", "pods do not boot: put this command in front of the program's command")
            continue
        if schedule is None:
            tell(NONE, row[:40], "this line is not a valid crontab entry")
            continue
        if with_user:
            user, _, rest = rest.partition(" ")
            tell(CHANGED, f"user {user}", "pods run as uid 10001")
        bad = _unfit(schedule)
        if bad:
            tell(NONE, row[:40], bad)
            continue
        command = re.split(r"(?<!\\)%", rest.strip(), maxsplit=1)
        if len(command) > 1:
            tell(
                NONE,
                row[:40],
                "cron sends the text after % to standard input, which a CronJob does not have: use a script",
            )
            continue
        name = _name(command[0], {t.name for t in timers})
        text = command[0].replace("\\%", "%")
        timers.append(Timer(component, name, schedule, text, str(path), number, tuple(environment.items()), zone))
    return timers, found


def _split(row: str) -> tuple[str | None, str]:
    if row.startswith("@"):
        nick, _, rest = row.partition(" ")
        return _NICK.get(nick), rest
    parts = row.split(None, 5)
    if len(parts) < 6 or not all(_FIELD.fullmatch(p) for p in parts[:5]):
        return (" ".join(parts[:5]) if "~" in row else None), parts[-1] if parts else ""
    return " ".join([*parts[:4], _weekday(parts[4])]), parts[5]


def _weekday(field: str) -> str:
    """cron accepts 0 and 7 for Sunday; Kubernetes accepts only 0."""
    out = []
    for part in field.split(","):
        span, slash, step = part.partition("/")
        low, dash, high = span.partition("-")
        if span == "7":
            out.append("0" + slash + step)
        elif dash and high == "7" and low.isdigit():
            out.append(",".join(str(d % 7) for d in range(int(low), 8, int(step or 1))))
        else:
            out.append(part)
    return ",".join(out)


def _unfit(schedule: str) -> str:
    if "~" in schedule:
        return "a random time (~) has no counterpart: choose one"
    return ""


def _name(command: str, taken: set[str]) -> str:
    words = [w for w in re.split(r"[\s;&|]+", command) if w and not w.startswith("-") and "=" not in w]
    first = next((w for w in words if w.rpartition("/")[2] not in ("cd", "python", "python3", "bash", "sh")), "job")
    base = re.sub(r"[^a-z0-9]+", "-", first.rpartition("/")[2].lower().rpartition(".")[0] or first.lower()).strip("-")
    base = re.sub(r"[^a-z0-9]+", "-", base.rpartition("/")[2]).strip("-")[:40] or "job"
    return next(n for i in range(len(taken) + 1) if (n := base + (f"-{i + 1}" if i else "")) not in taken)
