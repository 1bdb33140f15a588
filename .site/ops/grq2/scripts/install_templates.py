"""Schema work of the dataset catalogue. Run again at any time: the result is the same."""

import argparse
import json
import pathlib
import sys

import celeryconfig
from hysds_commons.search import Search, SearchError

# What a rule matches and passes on is the user's own; it is kept, not searched.
RULES = {"mappings": {"properties": {"enabled": {"type": "boolean"}, "match": {"type": "object", "enabled": False}, "params": {"type": "object", "enabled": False}}}}
TEMPLATE = {
    "index_patterns": ["grq_*"],
    "order": 1,
    "aliases": {"grq": {}},
    "settings": {"number_of_shards": 1, "number_of_replicas": 0},
    "mappings": {
        "date_detection": False,
        "properties": {
            "id": {"type": "keyword"},
            "dataset_type": {"type": "keyword"},
            "job_id": {"type": "keyword"},
            "sha256": {"type": "keyword"},
            "rules": {"type": "keyword"},
            "creation_timestamp": {"type": "date"},
            "location": {"type": "geo_shape"},
        }
    },
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--etc", type=pathlib.Path, required=True)
    etc = parser.parse_args().etc
    search = Search(celeryconfig.GRQ_ES_URL, timeout=60)
    search.call("PUT", "_template/base", json.loads((etc / "es_template-base.json").read_text()))
    search.call("PUT", "_template/grq", TEMPLATE)
    print("templates base, grq: installed")
    for index in ("user_rules-grq", "hysds_ios-grq"):
        status, _ = search.call("HEAD", index, ok=(200, 404))
        if status == 404:
            search.call("PUT", index, RULES if index.startswith("user_rules") else {})
        print(f"index {index}: {'made' if status == 404 else 'is there'}")


if __name__ == "__main__":
    try:
        main()
    except (SearchError, OSError, ValueError) as err:
        sys.exit(f"schema work failed: {err}")
