"""Where a record goes: index, document id, version. Pure."""

import datetime
import json
import re

LIMIT = 2**63  # versions of the search engine are signed 64-bit numbers
ID_BYTES = 512


def target(record, site):
    """(index, id, version) of a record, or None when this site's configuration does not want its type.

    site: {"types": {type: index pattern}}; a pattern may hold {day} (of the record's creation, so that later
    states of a job reach the same document), {dataset_type} and {component}. ValueError says what is wrong with a
    record that the search engine could not take.
    """
    if not isinstance(record, dict):
        raise ValueError("it is not an object")
    pattern = site["types"].get(record.get("type"))
    if pattern is None:
        return None
    ident, document, ordinal = record.get("payload_id"), record.get("document"), record.get("ordinal")
    if not isinstance(ident, str) or not 0 < len(ident.encode()) <= ID_BYTES:
        raise ValueError(f"payload_id must be a text of 1 to {ID_BYTES} bytes")
    if not isinstance(document, dict):
        raise ValueError("document must be an object")
    if not isinstance(ordinal, int) or not 0 <= ordinal < LIMIT:
        raise ValueError("ordinal must be a number below 2 ** 63")
    stamp = str(record.get("created") or record.get("@timestamp"))
    day = datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).strftime("%Y.%m.%d")
    kind = str(document.get("dataset_type", "")).lower()
    index = pattern.format(day=day, dataset_type=kind, component=record.get("component", "mozart"))
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,200}", index):
        raise ValueError(f"{index} cannot be the name of an index")
    return index, ident, ordinal


def body(record):
    document = dict(record["document"])
    document.setdefault("@timestamp", record["@timestamp"])
    return document


def lines(raw, site):
    """(action line, body line) of one raw record, or None when it is not wanted. ValueError when it cannot be indexed."""
    record = json.loads(raw)
    goal = target(record, site)
    if goal is None:
        return None
    index, ident, version = goal
    action = {"_index": index, "_id": ident, "version": version, "version_type": "external_gte"}
    return json.dumps({"index": action}), json.dumps(body(record))


def verdict(item):
    """Of one item of a bulk answer: "done", "wait" (the engine's trouble) or "reject" (the record's)."""
    status = item["status"]
    if status < 400 or status == 409:  # a version conflict: a later state is there already
        return "done"
    kind = str((item.get("error") or {}).get("type", ""))
    if status >= 500 or status in (401, 403, 429) or "block" in kind:
        return "wait"
    return "reject"
