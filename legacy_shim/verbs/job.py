"""`sds job list STATUS`: jobs of the status index. The legacy tool parsed the command and did nothing."""

from __future__ import annotations

from typing import Any

from legacy_shim.console import legacy_session
from sdsk8s.backends.http.search import exactly
from sdsk8s.errors import RefusedError
from sdsk8s.model.names import unknown
from sdsk8s.verbs.endpoints import search_engine
from sdsk8s.verbs.options import Options

ENGINE = "MOZART_ES"
INDEX = "job_status-current"
STATES = ("queued", "started", "completed", "failed", "deduped", "offline", "revoked")
MOST = 1000
TIMES = ("@timestamp", "modified", "created")
"""Fields that may say when a job got its status; the first that the index knows as a date counts."""
COLUMNS = ("time", "status", "id", "name", "queue")


def listing(options: Options, *, status: str) -> int:
    """Newest jobs of a status first, at most a thousand; the table says when there are more."""
    wanted = status.removeprefix("job-")
    if wanted not in STATES and wanted != "all":
        raise RefusedError(f'no job status named "{status}"', words=unknown(wanted, [*STATES, "all"]))
    query = {"match_all": {}} if wanted == "all" else exactly("status", f"job-{wanted}")
    session = legacy_session(options)
    with search_engine(session, ENGINE) as engine:
        time = engine.date_field(INDEX, TIMES)
        sort = [{time: {"order": "desc"}}] if time else ["_doc"]
        answer = engine.search(INDEX, {"size": MOST, "query": query, "track_total_hits": True, "sort": sort})
    jobs = [row(hit, time) for hit in answer["hits"]["hits"]]
    total = answer["hits"]["total"]
    total = int(total["value"] if isinstance(total, dict) else total)
    if options.output == "json":
        session.console.print_json({"version": 1, "status": wanted, "total": total, "jobs": jobs})
        return 0
    session.console.print_table([[c.upper() for c in COLUMNS], *([j[c] for c in COLUMNS] for j in jobs)])
    if total > len(jobs):
        session.console.note(f"{len(jobs)} of {total}; only the newest are shown")
    return 0


def row(hit: Any, time: str) -> dict[str, str]:
    """One job as the table shows it. time: the field that says when."""
    doc = hit["_source"]
    job = doc.get("job") or {}
    info = job.get("job_info") or {}
    return {
        "time": str(doc.get(time or TIMES[0]) or ""),
        "status": str(doc.get("status") or ""),
        "id": str(doc.get("payload_id") or doc.get("id") or hit["_id"]),
        "name": str(job.get("name") or doc.get("name") or doc.get("type") or ""),
        "queue": str(info.get("job_queue") or doc.get("job_queue") or doc.get("queue") or ""),
    }
