"""The dataset REST API. Settings come from settings.cfg in the folder above this package."""

import os
import re

import redis
from flask import Blueprint, Flask, current_app, jsonify, request
from hysds import state
from hysds_commons import health as stores
from hysds_commons import records
from hysds_commons.search import Search, SearchError
from kombu.exceptions import OperationalError

app = Flask(__name__)
app.config.from_pyfile(os.path.join(os.path.dirname(__file__), "..", "settings.cfg"))
api = Blueprint("api", __name__, url_prefix="/api/v0.1")


def search(timeout=10):
    return Search(current_app.config["ES_URL"], timeout=timeout)


def bad(words):
    return jsonify(success=False, message=words), 400


@api.errorhandler(SearchError)
def search_is_away(err):
    return jsonify(success=False, message=f"the search engine: {err}"), 503


@api.errorhandler(OperationalError)
def broker_is_away(err):
    return jsonify(success=False, message=f"the broker: {err}; send the dataset again, that does no harm"), 503


@api.errorhandler(redis.RedisError)
def redis_is_away(err):
    return jsonify(success=False, message=f"redis: {err}"), 503


@api.post("/grq/dataset/index")
def index():
    """Takes a dataset; the indexer carries it into the search engine, and the rules are evaluated."""
    dataset = request.get_json(silent=True)
    if not isinstance(dataset, dict):
        return bad("a JSON object with id and dataset_type is needed")
    ident, kind = dataset.get("id"), dataset.get("dataset_type")
    if not isinstance(ident, str) or not 0 < len(ident.encode()) <= 512:
        return bad("id must be a text of 1 to 512 bytes")
    if not isinstance(kind, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", kind):
        return bad("dataset_type must be letters, digits and . _ -")
    records.push(state.client(patience=0), "dataset", payload_id=ident, document=dataset)
    state.send("hysds.user_rules.evaluate_dataset", [dataset], "user_rules_dataset", patience=state.SHORT)
    return jsonify(success=True, objectid=ident)


@api.get("/grq/dataset")
def dataset():
    ident = request.args.get("id", "")
    if not ident:
        return bad("the parameter id is missing")
    found = search().get(current_app.config["DATASET_INDEX"], ident)
    if found is None:
        return jsonify(success=False, message=f"no dataset with the id {ident} is indexed"), 404
    return jsonify(success=True, result=found)


@api.get("/datasets/list")
def datasets():
    size = request.args.get("page_size", "100")
    if not size.isdigit() or int(size) > 1000:
        return bad("page_size must be a number from 0 to 1000")
    query = {"size": int(size), "sort": [{"creation_timestamp": {"order": "desc", "unmapped_type": "date"}}]}
    if request.args.get("type"):
        query["query"] = {"term": {"dataset_type": request.args["type"]}}
    found = search().search(current_app.config["DATASET_INDEX"], query)
    return jsonify(success=True, count=len(found), result=[{"id": d["id"], "type": d["dataset_type"]} for d in found])


@api.get("/swagger.json")
def swagger():
    """Needs no store: this is what liveness asks."""
    paths = sorted({str(r) for r in current_app.url_map.iter_rules() if str(r).startswith("/api/")})
    return jsonify(swagger="2.0", info={"title": "datasets", "version": "0.1"}, paths={p: {} for p in paths})


@api.get("/version")
def version():
    return jsonify(version="1.0.0", revision=os.environ.get("SDS_REVISION", ""))


@api.get("/health")
def health():
    """Readiness: 503 names every store that is away. Without the broker datasets can still be read."""
    engine = search(timeout=3)
    away = stores.away({"search": engine.healthy, "redis": lambda: state.client(patience=0).ping()})
    return jsonify(success=not away, away=away), 503 if away else 200


app.register_blueprint(api)
