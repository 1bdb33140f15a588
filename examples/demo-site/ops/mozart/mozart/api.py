"""/api/v0.1: submit jobs, ask for them, list queues and rules."""

import json
import os

import requests
from flask import Blueprint, current_app, jsonify, request
from hysds import orchestrator, state
from hysds.celery import app as celery
from hysds_commons import records
from hysds_commons.search import Search, SearchError

blueprint = Blueprint("api", __name__, url_prefix="/api/v0.1")


def search():
    return Search(current_app.config["ES_URL"])


def fields():
    return request.get_json(silent=True) or request.form.to_dict()


@blueprint.errorhandler(SearchError)
def search_is_away(err):
    return jsonify(success=False, message=f"the search engine: {err}"), 503


@blueprint.errorhandler(Exception)
def trouble(err):
    code = getattr(err, "code", 500)
    return jsonify(success=False, message=f"{type(err).__name__}: {err}"), code if isinstance(code, int) else 500


@blueprint.post("/job/submit")
def submit():
    given = fields()
    if not given.get("type"):
        return jsonify(success=False, message="the field type is missing"), 400
    params = given.get("params") or {}
    try:
        params = json.loads(params) if isinstance(params, str) else params
        priority = int(given.get("priority") or 0)
    except ValueError as err:
        return jsonify(success=False, message=f"params must be JSON and priority a number: {err}"), 400
    if not isinstance(params, dict) or not 0 <= priority <= 9:
        return jsonify(success=False, message="params must be an object and priority 0 to 9"), 400
    job = {k: given.get(k) for k in ("type", "queue", "name", "tags")}
    return jsonify(success=True, result=orchestrator.submit({**job, "params": params, "priority": priority}))


@blueprint.get("/job/status")
def status():
    ident = request.args.get("id", "")
    value = state.get_status(ident)
    if value is None:
        found = search().get("job_status", ident)
        value = found["status"] if found else None
    if value is None:
        return jsonify(success=False, message=f"no job has the id {ident}"), 404
    return jsonify(success=True, status=value)


@blueprint.get("/job/info")
def info():
    """From the search engine only: what is shown here has gone all the way through."""
    ident = request.args.get("id", "")
    found = search().get("job_status", ident)
    if found is None:
        return jsonify(success=False, message=f"no job with the id {ident} is indexed"), 404
    return jsonify(success=True, result=found)


@blueprint.get("/job/list")
def job_list():
    query = {"size": int(request.args.get("page_size", 100)), "sort": [{"created": {"order": "desc", "unmapped_type": "date"}}]}
    if request.args.get("status"):
        query["query"] = {"term": {"status": request.args["status"]}}
    found = search().search("job_status", query)
    return jsonify(success=True, count=len(found), result=[{k: j.get(k) for k in ("id", "type", "status", "queue", "created")} for j in found])


@blueprint.get("/queue/list")
def queues():
    # Credentials for the management API come from ~/.netrc, which requests reads by itself.
    reply = requests.get(current_app.config["RABBITMQ_ADMIN_API"] + "/queues/%2F", timeout=10)
    reply.raise_for_status()
    found = [{"name": q["name"], "messages": q.get("messages", 0), "consumers": q.get("consumers", 0)} for q in reply.json()]
    return jsonify(success=True, result=[q for q in found if not q["name"].startswith(("celery", "amq."))])


@blueprint.post("/user-rules")
def add_rule():
    rule = fields()
    if not rule.get("rule_name") or not rule.get("job_type") or not isinstance(rule.get("match"), dict):
        return jsonify(success=False, message="rule_name, job_type and match (an object) are needed"), 400
    records.push(state.client(), "user_rule", payload_id=rule["rule_name"], index="user_rules-mozart", document={"enabled": True, **rule})
    return jsonify(success=True, result=rule["rule_name"])


@blueprint.get("/swagger.json")
def swagger():
    """Needs no store: this is what liveness asks."""
    paths = sorted({str(r) for r in current_app.url_map.iter_rules() if str(r).startswith("/api/")})
    return jsonify(swagger="2.0", info={"title": "jobs", "version": "0.1"}, paths={p: {} for p in paths})


@blueprint.get("/version")
def version():
    return jsonify(version="1.0.0", revision=os.environ.get("SDS_REVISION", ""))


@blueprint.get("/health")
def health():
    """Readiness: 503 names every store that is away."""
    away = {}
    checks = {"search": lambda: search().healthy(), "redis": lambda: state.client().ping(), "broker": _broker}
    for name, check in checks.items():
        try:
            check()
        except Exception as err:
            away[name] = str(err)[:200]
    return jsonify(success=not away, away=away), 503 if away else 200


def _broker():
    with celery.connection_for_write(connect_timeout=2) as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
