"""`sds rules export|import`: the user rules of both sides, in the legacy tool's file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from legacy_shim.console import legacy_session
from sdsk8s.errors import ConfigError
from sdsk8s.model import text
from sdsk8s.verbs.endpoints import search_engine
from sdsk8s.verbs.options import Options

ENGINE = "MOZART_ES"
"""Configuration keys of the engine that holds the rules of both sides."""
INDICES = {"mozart": "user_rules-mozart", "grq": "user_rules-grq"}


def export(options: Options, *, outfile: str) -> int:
    """Write both sides' rules to a file; its folder is made."""
    session = legacy_session(options)
    with search_engine(session, ENGINE) as engine:
        found = {side: [doc for _, doc in engine.all(index)] for side, index in INDICES.items()}
    path = Path(outfile)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    part.replace(path)
    sides = [f"{text.count(len(docs), 'rule')} of {side}" for side, docs in found.items()]
    session.console.print(f"{outfile}: {', '.join(sides)}")
    return 0


def load(options: Options, *, file: str) -> int:
    """Put the rules of a file into the indices. A rule of the same name is replaced, so that twice is once."""
    rules = read_rules(Path(file))
    counts = {}
    session = legacy_session(options)
    with search_engine(session, ENGINE) as engine:
        for side, index in INDICES.items():
            counts[side] = store(engine, index, rules[side])
    session.console.print("; ".join(f"{side}: {new} new, {old} replaced" for side, (new, old) in counts.items()))
    return 0


def read_rules(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Both lists of a file, or ConfigError naming what is wrong with it."""
    try:
        data = json.loads(path.read_text())
    except OSError as err:
        raise ConfigError("the file cannot be read", target=str(path), words=str(err)) from None
    except ValueError as err:
        raise ConfigError("the file is not valid JSON", target=str(path), words=str(err)) from None
    for side in INDICES:
        if not isinstance(data, dict) or not isinstance(data.get(side), list):
            raise ConfigError(
                f'the file has no list "{side}"',
                target=str(path),
                next="expected both lists, as sds rules export writes them",
            )
        for i, rule in enumerate(data[side]):
            if not isinstance(rule, dict):
                raise ConfigError(f"rule {i + 1} of {side} is not an object", target=str(path))
    return {side: data[side] for side in INDICES}


def store(engine: Any, index: str, rules: list[dict[str, Any]]) -> tuple[int, int]:
    """Put rules into an index: (new, replaced)."""
    there = {str(doc.get("rule_name")): doc_id for doc_id, doc in engine.all(index) if doc.get("rule_name")}
    new = 0
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    for rule in rules:
        name = str(rule.get("rule_name") or "")
        doc_id = there.get(name) if name else None
        if doc_id is None:
            doc_id = rule_id(rule)
            new += engine.get(index, doc_id) is None
            if name:
                there[name] = doc_id
        engine.put(index, doc_id, {"creation_time": now, "modified_time": now, **rule})
    return new, len(rules) - new


def rule_id(rule: Mapping[str, Any]) -> str:
    """An id from the rule's name, or from its content without its times."""
    name = rule.get("rule_name")
    kept = name or {k: v for k, v in rule.items() if k not in ("creation_time", "modified_time")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:20]
