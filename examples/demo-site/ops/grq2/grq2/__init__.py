"""The dataset REST API. Settings come from settings.cfg in the folder above this package."""

import os

from flask import Blueprint, Flask, current_app, jsonify, request
from hysds import state
from hysds.celery import app as celery
from hysds_commons import records
from hysds_commons.search import Search, SearchError

app = Flask(__name__)
app.config.from_pyfile(os.path.join(os.path.dirname(__file__), "..", "settings.cfg"))
api = Blueprint("api", __name__, url_prefix="/api/v0.1")


def search():
    return Search(current_app.config["ES_URL"])


@api.errorhandler(SearchError)
def search_is_away(err):
    return jsonify(success=False, message=f"the search engine: {err}"), 503


@api.post("/grq/dataset/index")
def index():
    """Takes a dataset; the indexer carries it into the search engine, and the rules are evaluated."""
    dataset = request.get_json(silent=True)
    if not isinstance(dataset, dict) or not dataset.get("id") or not dataset.get("dataset_type"):
        return jsonify(success=False, message="a JSON object with id and dataset_type is needed"), 400
    records.push(state.client(), "dataset", payload_id=dataset["id"], document=dataset)
    celery.signature("hysds.user_rules.evaluate_dataset", args=[dataset]).apply_async(queue="user_rules_dataset")
    return jsonify(success=True, objectid=dataset["id"])


@api.get("/grq/dataset")
def dataset():
    ident = request.args.get("id", "")
    found = search().get(current_app.config["DATASET_INDEX"], ident)
    if found is None:
        return jsonify(success=False, message=f"no dataset with the id {ident} is indexed"), 404
    return jsonify(success=True, result=found)


@api.get("/datasets/list")
def datasets():
    found = search().search(current_app.config["DATASET_INDEX"], {"size": int(request.args.get("page_size", 100))})
    return jsonify(success=True, count=len(found), result=[{"id": d["id"], "type": d["dataset_type"]} for d in found])


@api.get("/swagger.json")
def swagger():
    paths = sorted({str(r) for r in current_app.url_map.iter_rules() if str(r).startswith("/api/")})
    return jsonify(swagger="2.0", info={"title": "datasets", "version": "0.1"}, paths={p: {} for p in paths})


@api.get("/version")
def version():
    return jsonify(version="1.0.0", revision=os.environ.get("SDS_REVISION", ""))


@api.get("/health")
def health():
    away = {}
    for name, check in {"search": lambda: search().healthy(), "redis": lambda: state.client().ping()}.items():
        try:
            check()
        except Exception as err:
            away[name] = str(err)[:200]
    return jsonify(success=not away, away=away), 503 if away else 200


app.register_blueprint(api)
