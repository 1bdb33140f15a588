"""What is odd about a site's legacy configuration. Pure: gets the values and their lines, returns findings.

The subject of a finding is the configuration key. A broken value stops every verb, a missing key stops
`config check`; warnings and notes are reported and accepted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sdsk8s.errors import ConfigError
from sdsk8s.model.finding import BROKEN, MISSING, NOTE, WARNING, Finding
from sdsk8s.model.names import SECRET_WORDS, nearest, secret_word
from sdsk8s.model.queue import worker_queues
from sdsk8s.model.secrets import secrets_in

_USER_HOST = re.compile(r"[\w.-]+@[\w.:-]+")
_URL = re.compile(r"https?://[^\s/]+\S*")
_HOST = re.compile(r"[\w.:-]+|\[[0-9a-fA-F:]+\](:\d+)?")


@dataclass(frozen=True)
class Knowledge:
    """What is known of keys: all names, those that must be there, closed lists of values, and special shapes.

    shapes: {key: queues, hosts (a list of mappings of addresses), words (a list, or text with commas) or path}.
    """

    known: Collection[str]
    mandatory: Sequence[str]
    one_of: Mapping[str, Sequence[str]]
    shapes: Mapping[str, str]


def check_config(
    values: Mapping[Any, Any], lines: Mapping[Any, int], knowledge: Knowledge, plain: Mapping[str, str]
) -> list[Finding]:
    """Findings in the order of the file, missing keys last.

    lines: {key: 1-based line}; plain: {key: the unquoted text as it stands in the file}.
    """
    found: list[Finding] = []
    for key, value in values.items():
        line = lines.get(key, 0)
        if not isinstance(key, str):
            found.append(Finding(BROKEN, str(key), "the key is not text", line=line, cure="quote it"))
            continue
        found += [replace(f, line=line) for f in _key(key, value, knowledge)]
        found += [replace(f, line=line) for f in _plain(key, value, plain.get(key))]
        if isinstance(value, str) and not secret_word(key):
            for _, what in secrets_in(value, guess=False):
                words = f"the value looks like {what}, but the key's name does not say so: a ConfigMap may show it"
                cure = f"use a key whose name has one of {', '.join(SECRET_WORDS[:4])}"
                found.append(Finding(WARNING, key, words, line=line, cure=cure))
    found += [
        Finding(MISSING, key, "the key is missing or empty; templates and verbs read it", line=lines.get(key, 0))
        for key in knowledge.mandatory
        if empty(values.get(key))
    ]
    return found


def empty(value: Any) -> bool:
    """Null, empty text, or the text None that the legacy tool stored for a blank answer."""
    return value is None or value in ("", "None")


def _key(key: str, value: Any, knowledge: Knowledge) -> Iterator[Finding]:
    if key not in knowledge.known:
        near = nearest(key, knowledge.known)
        close = bool(near) and difflib.SequenceMatcher(None, key.upper(), near).ratio() > 0.9
        if close:
            yield Finding(WARNING, key, "no known template or verb reads this key", cure=f"did you mean {near}?")
        else:
            yield Finding(NOTE, key, "the site's own key: it is kept and given to the templates")
    if value == "None":
        yield Finding(
            WARNING,
            key,
            "the value is the text None, which the legacy tool wrote for a blank answer; it is read as empty",
        )
        return
    shape = knowledge.shapes.get(key, "")
    if shape == "queues":
        yield from _queues(value)
    elif shape == "hosts":
        yield from _hosts(key, value)
    elif shape == "words":
        if empty(value):
            yield Finding(NOTE, key, "the value is empty: the legacy tool crashed on this; templates get an empty list")
        elif not isinstance(value, (str, list)):
            yield Finding(BROKEN, key, "expected a list with commas or a YAML list")
    elif key.endswith(("_PVT_IP", "_PUB_IP", "_FQDN")):
        yield from _address(key, value)
    elif key in knowledge.one_of and not empty(value) and value not in knowledge.one_of[key]:
        yield Finding(BROKEN, key, f'invalid value "{value}"', cure="use one of: " + ", ".join(knowledge.one_of[key]))
    elif key.endswith("_PORT") and not empty(value) and not _port(value):
        yield Finding(BROKEN, key, f'"{value}" is not a port number', cure="use a number from 1 to 65535")
    elif shape == "path" and str(value or "").startswith("~"):
        yield Finding(WARNING, key, "the legacy tool did not expand ~", cure="write the full path")
    elif secret_word(key) and isinstance(value, (list, dict)):
        yield Finding(BROKEN, key, "expected a single value", cure="quote the value")


def _address(key: str, value: Any) -> Iterator[Finding]:
    store = "_ES_" in key
    if empty(value):
        yield Finding(NOTE, key, "empty: not configured")
    elif isinstance(value, list):
        if not store:
            yield Finding(BROKEN, key, "only a search engine can have a list of hosts", cure="name one host")
        elif not value or not all(isinstance(v, str) and (_URL.fullmatch(v) or _HOST.fullmatch(v)) for v in value):
            yield Finding(BROKEN, key, "the list has an entry that is neither a host nor a URL")
        else:
            yield Finding(NOTE, key, f"{len(value)} hosts: the search engine is outside of this site's cluster")
    elif not isinstance(value, str):
        yield Finding(BROKEN, key, f"{value!r} is not an address", cure="quote it")
    elif _URL.fullmatch(value):
        if not store:
            yield Finding(BROKEN, key, "only a search engine can have a URL", cure="use a host name or IP address")
    elif _USER_HOST.fullmatch(value):
        if not key.endswith("_PVT_IP") or store:
            yield Finding(BROKEN, key, "user@host is allowed only in keys of SSH targets (_PVT_IP)")
    elif not _HOST.fullmatch(value):
        yield Finding(BROKEN, key, f'"{value}" is not a host name, IP address or URL')


def _port(value: Any) -> bool:
    return str(value).isdigit() and 0 < int(value) < 65536


def _queues(value: Any) -> Iterator[Finding]:
    if value is None:
        yield Finding(WARNING, "QUEUES", "empty: there will be no workers")
        return
    if not isinstance(value, list):
        yield Finding(BROKEN, "QUEUES", "expected a list", cure="- QUEUE_NAME: name")
        return
    seen: dict[str, str] = {}
    for i, entry in enumerate(value):
        where = f"QUEUES[{i}]"
        if not isinstance(entry, dict) or empty(entry.get("QUEUE_NAME")):
            yield Finding(BROKEN, where, "QUEUE_NAME is missing")
            continue
        name = str(entry["QUEUE_NAME"])
        slug = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
        if slug in seen:
            yield Finding(BROKEN, where, f'"{name}" and "{seen[slug]}" would get the same workload name')
        seen[slug] = name
        try:
            worker_queues({"QUEUES": [entry]})
        except ConfigError as err:
            yield Finding(BROKEN, where, err.what, cure=err.words or "")
        if not isinstance(entry.get("INSTANCE_TYPES"), list):
            yield Finding(WARNING, where, "INSTANCE_TYPES is not a list; the legacy tool expected one")
        metric = entry.get("TOTAL_JOBS_METRIC")
        if metric is not None and not isinstance(metric, bool):
            yield Finding(WARNING, where, f"TOTAL_JOBS_METRIC: expected true or false, got {metric!r}")


def _hosts(key: str, value: Any) -> Iterator[Finding]:
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        yield Finding(BROKEN, key, "expected a list of hosts, each with NAME_PVT_IP, NAME_PUB_IP and NAME_FQDN")
        return
    for i, entry in enumerate(value):
        for address in (v for k, v in entry.items() if str(k).endswith("_PVT_IP") and not empty(v)):
            words = f"{address} is a separate worker host; in the cluster, workers are one Deployment per queue"
            yield Finding(WARNING, f"{key}[{i}]", words)


def _plain(key: str, value: Any, text: str | None) -> Iterator[Finding]:
    """What YAML made of an unquoted value of a secret: the legacy tool wrote them without quotes."""
    if text is None or not secret_word(key):
        return
    if not isinstance(value, str) and value is not None and not isinstance(value, (list, dict)):
        words = f"unquoted, YAML reads it as {type(value).__name__}"
        if str(value) != text:
            yield Finding(BROKEN, key, words + " and changes it", cure="quote the value")
        else:
            yield Finding(WARNING, key, words, cure="quote the value")
    if " #" in text:
        yield Finding(
            WARNING, key, 'unquoted, what follows " #" is a comment and not part of the value', cure="quote the value"
        )
