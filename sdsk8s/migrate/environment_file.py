"""Reads files of shell assignments (`.env`, /etc/default/NAME) without a shell: what /bin/sh would read, or why not."""

from __future__ import annotations

import re
from dataclasses import dataclass

_START = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=")
_COMPUTED = re.compile(r"\$[A-Za-z0-9_{(@*#?$!'-]|`")


@dataclass(frozen=True)
class Assignment:
    """line: 1-based; trouble: why the value is not known without a shell, or ""."""

    name: str
    value: str
    line: int
    trouble: str = ""


def read_environment(text: str) -> list[Assignment] | None:
    """Assignments in the order of the file; None for a file that holds anything else."""
    found: list[Assignment] = []
    at = 0
    while at < len(text):
        blank = re.compile(r"[ \t]*(#[^\n]*)?(\n|$)").match(text, at)
        if blank and blank.end() > at:
            at = blank.end()
            continue
        start = _START.match(text, at)
        if not start:
            return None
        line = text.count("\n", 0, start.start(1)) + 1
        value, at, trouble = _value(text, start.end())
        if trouble:
            at = text.find("\n", at) % (len(text) + 1)
        elif not re.compile(r"[ \t]*(\n|$)|[ \t]+#").match(text, at) and not _START.match(text, at):
            return None
        found.append(Assignment(start.group(1), value, line, trouble))
    return found or None


def _value(text: str, at: int) -> tuple[str, int, str]:
    """(value, place after it, trouble)"""
    out = ""
    while at < len(text) and text[at] not in " \t\n":
        char = text[at]
        home = char == "~" and (not out or out[-1] == ":")
        if char == "'":
            end = text.find("'", at + 1)
            if end < 0:
                return out, len(text), "the closing quote is missing"
            out, at = out + text[at + 1 : end], end + 1
        elif char == '"':
            part, at, trouble = _quoted(text, at + 1)
            if trouble:
                return out, at, trouble
            out += part
        elif char == "\\" and at + 1 < len(text):
            out, at = out + text[at + 1].replace("\n", ""), at + 2
        elif _COMPUTED.match(text, at) or char in ";&|<>()" or text[at : at + 2] == '$"' or home:
            return out, at, "only a shell can compute its value"
        else:
            out, at = out + char, at + 1
    return out, at, ""


def _quoted(text: str, at: int) -> tuple[str, int, str]:
    out = ""
    while at < len(text):
        char = text[at]
        if char == '"':
            return out, at + 1, ""
        if char == "\\" and text[at + 1 : at + 2] in ("$", "`", '"', "\\", "\n"):
            out, at = out + text[at + 1].replace("\n", ""), at + 2
        elif not _COMPUTED.match(text, at) or text[at : at + 2] == "$'":
            out, at = out + char, at + 1
        else:
            return out, at, "only a shell can compute its value"
    return out, at, "the closing quote is missing"
