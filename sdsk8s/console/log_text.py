"""Lines of logs as they are printed."""

from __future__ import annotations

import json

from sdsk8s.console.colour import paint, wanted
from sdsk8s.model.logs import LogLine

PALETTE = ("cyan", "green", "yellow", "magenta", "blue")


class LogLines:
    """Gives each pod a colour, which it keeps. json: one object per line."""

    def __init__(self, *, json: bool, timestamps: bool) -> None:
        self._json = json
        self._timestamps = timestamps
        self._colour = wanted()
        self._pods: dict[str, str] = {}

    def text(self, line: LogLine) -> str:
        """The line with its pod and container before it."""
        source = line.source
        if self._json:
            return json.dumps({"time": line.stamp, "pod": source.pod, "container": source.container, "line": line.text})
        colour = self._pods.setdefault(source.pod, PALETTE[len(self._pods) % len(PALETTE)])
        stamp = f"{line.stamp} " if self._timestamps else ""
        return f"{paint(f'{source.pod} {source.container}', colour, self._colour)} {stamp}{line.text}"
