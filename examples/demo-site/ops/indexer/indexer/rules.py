"""Where a record goes: index, document id, version. Pure."""

import datetime


def target(record, site):
    """(index, id, version) of a record, or None when this site's configuration does not want its type.

    site: {"types": {type: index pattern}}; a pattern may hold {day} (of the record's creation, so that later
    states of a job reach the same document) and {dataset_type}.
    """
    pattern = site["types"].get(record.get("type"))
    if pattern is None:
        return None
    stamp = str(record.get("created") or record["@timestamp"])
    day = datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).strftime("%Y.%m.%d")
    kind = str(record["document"].get("dataset_type", "")).lower()
    return pattern.format(day=day, dataset_type=kind), record["payload_id"], int(record["ordinal"])


def body(record):
    document = dict(record["document"])
    document.setdefault("@timestamp", record["@timestamp"])
    return document
