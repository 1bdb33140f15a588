"""Values that look secret wherever they stand, whatever their key is called. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from itertools import pairwise
from urllib.parse import quote, quote_plus

_CERTAIN = (
    (re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"), "a private key"),
    (re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40})"), "a GitHub token"),
    (re.compile(r"\bglpat-[A-Za-z0-9_-]{20}"), "a GitLab token"),
    (re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20}"), "a Slack token"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"), "a signed web token"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"{}]*:([^\s/@'\"{}$%<>*]{4,})@"), "a URL with a password in it"),
)
_ASSIGNED = re.compile(r"""(?P<name>[A-Za-z][\w.-]*)["']?\s*(?:[:=]|=>)\s*["']?(?P<value>[^\s"',;#`]{4,})""")
_WORDS = {"password", "passwd", "secret", "token", "apikey", "credential", "credentials"}
_PAIRS = {("api", "key"), ("private", "key"), ("access", "secret")}
_NO_VALUE = {"none", "null", "true", "false", "changeme"}


def secrets_in(text: str, *, guess: bool = True) -> Iterator[tuple[int, str]]:
    """(1-based line, what it looks like). guess: also what is written out after a name like a password's.

    What a template fills in ({{ }}, {% %}), variables ($X, %(X)s), names of keys (X_PASSWORD), calls
    and paths are no values.
    """
    for number, line in enumerate(text.splitlines(), 1):
        certain = next((what for pattern, what in _CERTAIN if pattern.search(line)), "")
        if certain:
            yield number, certain
        elif guess and (name := _assigned(line)):
            yield number, f"the value of {name} is written in plain text"


_FORMS = (
    re.compile(r"(?P<before>-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----)(?P<value>.*?)(?=-----END|\Z)", re.S),
    re.compile(r"(?P<before>\b(?:[Bb]earer|[Bb]asic)\s+)(?P<value>[A-Za-z0-9._~+/=-]{8,})"),
    re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s/:@'\"]*:)(?P<value>[^\s/@'\"]+)(?=@)"),
    re.compile(r"(?P<before>)(?P<value>\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})"),
    re.compile(
        r"(?P<before>)(?P<value>\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{40,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{20,}))"
    ),
)
_GIVEN = re.compile(r"""(?P<before>(?P<name>[A-Za-z][\w.-]*)["']?\s*(?:[:=]|=>|%3D)\s*["']?)(?P<value>[^\s"',;&`]+)""")
_OPTION = re.compile(r"""(?P<before>--?(?P<name>[A-Za-z][\w-]*)[ =]+["']?)(?P<value>[^\s"',;]+)""")
MASK = "(hidden)"


def without_secrets(text: str, values: Collection[str] = ()) -> str:
    """The text with secrets replaced: these values, what has the form of a token, and what is given to a secret name.

    values: also hidden in the forms that URLs and JSON give them.
    """
    forms = {form for v in values for form in (v, quote(v, safe=""), quote_plus(v), json.dumps(v)[1:-1])}
    for value in sorted(forms, key=len, reverse=True):
        text = text.replace(value, MASK)
    for pattern in _FORMS:
        text = pattern.sub(lambda m: m["before"] + MASK, text)
    for pattern in (_GIVEN, _OPTION):
        text = pattern.sub(lambda m: m["before"] + MASK if _secret_name(m["name"]) else m[0], text)
    return text


def _assigned(line: str) -> str:
    if line.lstrip().startswith(("#", ";", "//")):
        return ""
    for found in _ASSIGNED.finditer(line):
        name, value = found["name"], found["value"]
        if not _secret_name(name) or value.lower() in _NO_VALUE:
            continue
        if not re.search(r"[{}$%()<>\[\]]|^/|^\*+$|^[A-Z]+(_[A-Z0-9]+)+$", value):
            return name
    return ""


def _secret_name(name: str) -> bool:
    """By whole words, so that `tokenizer` is none; a name that ends in file or path says where it is, not what."""
    words = [w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]
    if not words or words[-1] in ("file", "path", "name", "url", "length", "type", "hash"):
        return False
    return bool(_WORDS & set(words)) or any(pair in _PAIRS for pair in pairwise(words))
