"""`sds kibana import|export|delete`: the dashboards of job and worker metrics."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from legacy_shim.console import legacy_session
from sdsk8s.backends.http import Dashboards, HttpError
from sdsk8s.errors import ConfigError
from sdsk8s.model import text
from sdsk8s.verbs.endpoints import dashboards
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

PREFIX = "METRICS"
"""Configuration keys of the side that has the dashboards."""
FOLDERS = {"elasticsearch": "kibana_dashboard_import", "opensearch": "opensearch_dashboards_import"}
SETS = (
    ("logstash-*", "@timestamp", ("job-dashboards.json", "worker-dashboards.json")),
    ("sdswatch-*", "sdswatch_timestamp", ("sdswatch-dashboards.json",)),
)
"""(index pattern, its time field, files); the first pattern becomes the default one."""
WAIT_SECONDS = 120.0
EXPORT = "dashboards.ndjson"
"""Name of the file that an export writes into the working folder."""


def kibana(options: Options, *, job_type: str) -> int:
    session = legacy_session(options)
    files = read_files(session) if job_type != "export" else []
    if not options.yes and job_type != "export":
        session.console.need_terminal(f"kibana {job_type}")
        words = {"import": "Importing", "delete": "Deleting"}[job_type]
        if not session.console.yes_or_no(f"{words} dashboards. Continue [y/n]"):
            session.console.note("not confirmed: nothing was changed")
            return 0
    with dashboards(session, PREFIX) as server:
        _await(server)
        session.console.print({"import": _import, "export": _export, "delete": _delete}[job_type](server, files))
    return 0


def read_files(session: Session) -> list[list[dict[str, Any]]]:
    """Objects of each set of SETS, in order. Every file is read and checked before anything is sent."""
    engine = str(session.site.config.get(f"{PREFIX}_ES_ENGINE") or "elasticsearch")
    if engine not in FOLDERS:
        raise ConfigError(f"{PREFIX}_ES_ENGINE is {engine}", words=f"known: {', '.join(FOLDERS)}")
    found = []
    for _, _, names in SETS:
        objects: list[dict[str, Any]] = []
        for name in names:
            path = session.home / "files" / FOLDERS[engine] / name
            try:
                data = json.loads(path.read_text())
                objects += data["objects"]
            except (OSError, ValueError, KeyError, TypeError) as err:
                raise ConfigError(
                    "the dashboards cannot be read",
                    target=str(path),
                    words=f"{type(err).__name__}: {err}",
                    next="the file is an export: an object with a list `objects`",
                ) from None
        found.append(objects)
    return found


def _await(server: Dashboards) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            server.ready()
            return
        except HttpError:
            if time.monotonic() > end:
                raise
            time.sleep(2)


def _import(server: Dashboards, files: list[list[dict[str, Any]]]) -> str:
    total = 0
    for (pattern, field, _), objects in zip(SETS, files, strict=True):
        index = {"type": "index-pattern", "id": pattern, "attributes": {"title": pattern, "timeFieldName": field}}
        total += server.load([index, *(o for o in objects if (o["type"], o["id"]) != ("index-pattern", pattern))])
    server.default_pattern(SETS[0][0])
    return f"{total} objects imported; {SETS[0][0]} is the default index pattern"


def _export(server: Dashboards, files: list[list[dict[str, Any]]]) -> str:
    objects = server.export()
    Path(EXPORT).write_text("".join(json.dumps(o, sort_keys=True) + "\n" for o in objects))
    return f"{text.count(len(objects), 'object')} written to {EXPORT}"


def _delete(server: Dashboards, files: list[list[dict[str, Any]]]) -> str:
    """Removes what an import brings; objects of the site's own stay."""
    gone = there = 0
    for (pattern, _, _), objects in zip(SETS, files, strict=True):
        for kind, object_id in [*((o["type"], o["id"]) for o in reversed(objects)), ("index-pattern", pattern)]:
            there += 1
            gone += server.delete(kind, object_id)
    return f"{gone} objects deleted, {there - gone} did not exist"
