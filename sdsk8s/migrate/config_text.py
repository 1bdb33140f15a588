"""Adds keys and queues to the text of a legacy `config`: every byte that was there stays where it can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sdsk8s.site.configure import merged


def extended(path: Path, values: Mapping[str, str], queues: Sequence[Mapping[str, Any]]) -> bytes:
    """The file's content with more keys at its end and more entries of QUEUES."""
    content = path.read_bytes()
    if not values and not queues:
        return content
    text = content.decode()
    before = yaml.safe_load(text) or {}
    wanted = {**before, **values, **({"QUEUES": [*(before.get("QUEUES") or ()), *queues]} if queues else {})}
    new = _with_queues(text, queues)
    new += "" if new.endswith("\n") or not new else "\n"
    new += "# Added by `sdsk8s migrate import`.\n" if values else ""
    for key, value in values.items():
        new += f"{key}: " + yaml.safe_dump(value, default_style='"', allow_unicode=True, width=10**9)
    try:
        if yaml.safe_load(new) == wanted:
            return new.encode()
    except yaml.YAMLError:
        pass
    # a form that lines cannot be put into: the whole file is written anew, its keys and comments kept
    return merged(path, {key: value for key, value in wanted.items() if before.get(key) != value}).encode()


def _with_queues(text: str, queues: Sequence[Mapping[str, Any]]) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if queues and isinstance(root, yaml.MappingNode) else ()
    node = next((value for key, value in pairs if key.value == "QUEUES"), None)
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
        return text
    lines = text.splitlines(keepends=True)
    at = _last(node.value[-1]) + 1
    dash = lines[node.value[-1].start_mark.line]
    indent = dash[: len(dash) - len(dash.lstrip())]
    more = [
        f"{indent}- {yaml.safe_dump(dict(q), default_flow_style=True, sort_keys=False, width=10**9)}" for q in queues
    ]
    if not lines[at - 1].endswith("\n"):
        lines[at - 1] += "\n"
    return "".join([*lines[:at], *more, *lines[at:]])


def _last(node: yaml.Node) -> int:
    """The 0-based line where a node's text ends; the end of a block collection is where the next one begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.line)
