"""A worker queue: one entry of the legacy key QUEUES, and the keys that are ours.

    QUEUE_NAME       the queue                                              (legacy)
    GRACE_SECONDS    what a running job gets to finish when its pod is stopped  (default: the workload's own)
    PROCESSES        workers per pod                                        (default: 1)

Other keys (INSTANCE_TYPES, TOTAL_JOBS_METRIC, a site's own) mean nothing here and are left alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sdsk8s.errors import ConfigError

STOP_MARGIN = 15
"""Seconds of the grace period that are left for what follows the programs' own end."""
_OURS = {"GRACE_SECONDS": (STOP_MARGIN + 5, 7 * 86400), "PROCESSES": (1, 64)}
"""{key: (least, most)}"""


@dataclass(frozen=True)
class Queue:
    """grace_seconds: None leaves the workload's own terminationGracePeriodSeconds."""

    name: str
    grace_seconds: int | None = None
    processes: int = 1


def worker_queues(config: Mapping[str, Any]) -> list[Queue]:
    """Queues in the order of QUEUES; entries without a name are left out. ConfigError names queue and key."""
    found = [_queue(entry) for entry in config.get("QUEUES") or () if entry and entry.get("QUEUE_NAME")]
    seen: set[str] = set()
    for queue in found:
        if queue.name in seen:
            raise ConfigError(f'duplicate queue "{queue.name}" in QUEUES', target="QUEUES", next="keep one entry")
        seen.add(queue.name)
    return found


def _queue(entry: Mapping[str, Any]) -> Queue:
    name = str(entry["QUEUE_NAME"])
    for key in entry:
        near = difflib.get_close_matches(str(key).upper(), _OURS, 1, 0.8)
        if near and key not in _OURS:
            raise ConfigError(
                f'queue "{name}": unknown key "{key}"', target="QUEUES", words=f'did you mean "{near[0]}"?'
            )
    grace, processes = _number(name, entry, "GRACE_SECONDS"), _number(name, entry, "PROCESSES")
    return Queue(name, grace, processes or 1)


def _number(queue: str, entry: Mapping[str, Any], key: str) -> int | None:
    value = entry.get(key)
    if value is None:
        return None
    least, most = _OURS[key]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        words = f"expected a whole number from {least} to {most}"
        raise ConfigError(f'queue "{queue}": {key} is {value!r}', target="QUEUES", words=words)
    return value
