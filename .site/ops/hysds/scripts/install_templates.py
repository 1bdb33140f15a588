"""Schema work of job management: index templates and empty indices. Run again at any time: the result is the same."""

import argparse
import json
import pathlib
import sys

import celeryconfig
from hysds_commons.search import Search, SearchError

# What a rule matches and passes on is the user's own; it is kept, not searched.
RULES = {"mappings": {"properties": {"enabled": {"type": "boolean"}, "match": {"type": "object", "enabled": False}, "params": {"type": "object", "enabled": False}}}}
INDICES = ("user_rules-mozart", "hysds_ios-mozart", "job_specs", "containers")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--etc", type=pathlib.Path, required=True)
    etc = parser.parse_args().etc
    search = Search(celeryconfig.JOBS_ES_URL, timeout=60)
    files = [etc / "es_template-base.json", *sorted(etc.glob("*.template"))]
    for file in files:
        name = file.stem.replace("es_template-", "")
        search.call("PUT", f"_template/{name}", json.loads(file.read_text()))
        print(f"template {name}: installed")
    for index in INDICES:
        status, _ = search.call("HEAD", index, ok=(200, 404))
        if status == 404:
            search.call("PUT", index, RULES if index.startswith("user_rules") else {})
        print(f"index {index}: {'made' if status == 404 else 'is there'}")


if __name__ == "__main__":
    try:
        main()
    except (SearchError, OSError, ValueError) as err:
        sys.exit(f"schema work failed: {err}")
