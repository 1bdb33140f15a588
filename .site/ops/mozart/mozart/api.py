"""/api/v0.1: submit jobs, ask for them, revoke them, list queues and rules."""

import json
import os
import re

import redis
import requests
from flask import Blueprint, current_app, jsonify, request
from hysds import orchestrator, state
from hysds.celery import app as celery
from hysds_commons import health as stores
from hysds_commons import records
from hysds_commons.search import Search, SearchError
from kombu.exceptions import OperationalError

blueprint = Blueprint("api", __name__, url_prefix="/api/v0.1")


class BadInput(Exception):
    pass


def search(timeout=10):
    return Search(current_app.config["ES_URL"], timeout=timeout)


def fields():
    given = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    if not isinstance(given, dict):
        raise BadInput("a form or a JSON object is needed")
    return given


def text(given, name, *, needed=False, pattern=r"[\w.:@/ -]{1,200}"):
    value = given.get(name)
    if value in (None, ""):
        if needed:
            raise BadInput(f"the field {name} is missing")
        return None
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise BadInput(f"{name} must be a text of up to 200 letters, digits and . : @ / _ -")
    return value


def parsed(given, name, kind, default):
    """A field that forms bring as JSON text."""
    value = given.get(name)
    try:
        value = json.loads(value) if isinstance(value, str) and value else value
    except ValueError as err:
        raise BadInput(f"{name} is not JSON: {err}") from err
    value = default if value in (None, "") else value
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadInput(f"{name} must be {'an object' if kind is dict else 'a list' if kind is list else 'a whole number'}")
    return value


def number(name, default, low, high):
    value = request.args.get(name, str(default))
    if not value.isdigit() or not low <= int(value) <= high:
        raise BadInput(f"{name} must be a number from {low} to {high}")
    return int(value)


def ident():
    value = request.args.get("id") or (fields().get("id") if request.method == "POST" else None)
    if not value or not isinstance(value, str):
        raise BadInput("the parameter id is missing")
    return value


@blueprint.errorhandler(BadInput)
def bad_input(err):
    return jsonify(success=False, message=str(err)), 400


@blueprint.errorhandler(SearchError)
def search_is_away(err):
    return jsonify(success=False, message=f"the search engine: {err}"), 503


@blueprint.errorhandler(OperationalError)
def broker_is_away(err):
    return jsonify(success=False, message=f"the broker: {err}"), 503


@blueprint.errorhandler(redis.RedisError)
def redis_is_away(err):
    return jsonify(success=False, message=f"redis: {err}"), 503


@blueprint.errorhandler(requests.RequestException)
def admin_is_away(err):
    return jsonify(success=False, message=f"the broker's management API: {err}"), 503


@blueprint.errorhandler(Exception)
def trouble(err):
    code = getattr(err, "code", 500)
    return jsonify(success=False, message=f"{type(err).__name__}: {err}"), code if isinstance(code, int) else 500


@blueprint.post("/job/submit")
def submit():
    given = fields()
    job = {"type": text(given, "type", needed=True), "queue": text(given, "queue"), "name": text(given, "name")}
    tags = given.get("tags")
    job["tags"] = [tags] if isinstance(tags, str) and not tags.startswith("[") else parsed(given, "tags", list, [])
    job["params"] = parsed(given, "params", dict, {})
    job["priority"] = parsed(given, "priority", int, 0)
    if not 0 <= job["priority"] <= 9:
        raise BadInput("priority must be 0 to 9")
    return jsonify(success=True, result=orchestrator.submit(job))


@blueprint.get("/job/status")
def status():
    job = ident()
    try:
        value = state.get_status(job, patience=0)
    except redis.RedisError:
        value = None  # the search engine knows it too, a second later
    if value is None:
        found = search().get("job_status", job)
        value = found["status"] if found else None
    if value is None:
        return jsonify(success=False, message=f"no job has the id {job}"), 404
    return jsonify(success=True, status=value)


@blueprint.get("/job/info")
def info():
    """From the search engine only: what is shown here has gone all the way through."""
    job = ident()
    found = search().get("job_status", job)
    if found is None:
        return jsonify(success=False, message=f"no job with the id {job} is indexed"), 404
    return jsonify(success=True, result=found)


@blueprint.post("/job/revoke")
def revoke():
    """A job that waits in its queue is passed over; one that runs is left to end."""
    job = ident()
    found = search().get("job_status", job)
    if found is None:
        return jsonify(success=False, message=f"no job with the id {job} is indexed"), 404
    now = state.get_status(job, patience=0) or found["status"]
    if now != "job-queued":
        return jsonify(success=False, message=f"only a queued job can be revoked; this one is {now}"), 409
    document = {k: v for k, v in found.items() if not k.startswith(("_", "@"))}
    return jsonify(success=True, status=state.set_status(document, "job-revoked", patience=0)["status"])


@blueprint.get("/job/list")
def job_list():
    query = {"size": number("page_size", 100, 0, 1000), "from": number("offset", 0, 0, 9000)}
    query["sort"] = [{"created": {"order": "desc", "unmapped_type": "date"}}]
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
    """component: mozart (rules on finished jobs, the default) or grq (rules on datasets)."""
    given = fields()
    name, component = text(given, "rule_name", needed=True), text(given, "component") or "mozart"
    rule = {"rule_name": name, "job_type": text(given, "job_type", needed=True), "queue": text(given, "queue")}
    rule |= {"match": parsed(given, "match", dict, {}), "params": parsed(given, "params", dict, {})}
    if component not in ("mozart", "grq") or not rule["match"]:
        raise BadInput("match must name at least one field, and component be mozart or grq")
    rule["enabled"] = given.get("enabled", True) not in (False, "false", "False", "0")
    records.push(state.client(patience=0), "user_rule", payload_id=name, component=component, document=rule)
    return jsonify(success=True, result=name)


@blueprint.get("/user-rules")
def rules():
    found = search().search(f"user_rules-{'grq' if request.args.get('component') == 'grq' else 'mozart'}", {"size": 1000})
    return jsonify(success=True, count=len(found), result=[{k: v for k, v in r.items() if not k.startswith("_")} for r in found])


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
    engine = search(timeout=3)
    away = stores.away({"search": engine.healthy, "redis": lambda: state.client(patience=0).ping(), "broker": _broker})
    return jsonify(success=not away, away=away), 503 if away else 200


def _broker():
    with celery.connection_for_write(connect_timeout=2) as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
