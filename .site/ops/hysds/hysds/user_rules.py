"""Rules of users: when a finished job or a dataset matches, a follow-up job is submitted."""

from hysds_commons.search import Search, SearchError

from hysds import state
from hysds.celery import app
from hysds.orchestrator import submit

# The search engine may restart; the evaluation comes again after 1, 2, 4 ... 64 s.
RETRY = {"autoretry_for": (SearchError,), "retry_backoff": True, "retry_backoff_max": 64, "max_retries": 12, "acks_late": True}


def _matching(url, index, document):
    """Rules are field/value pairs; the search engine is only read. A rule that took part in making this is left out."""
    rules = Search(url).search(index, {"size": 1000, "query": {"term": {"enabled": True}}})
    before = document.get("rules") or []
    return [r for r in rules if r["_id"] not in before and all(str(document.get(k)) == str(v) for k, v in r.get("match", {}).items())]


def _trigger(rules, document):
    before = document.get("rules") or []
    for rule in rules:
        state.send("hysds.user_rules.trigger", [rule, before], app.conf["USER_RULES_TRIGGER_QUEUE"])
    return len(rules)


@app.task(name="hysds.user_rules.evaluate_job", **RETRY)
@state.handed_back
def evaluate_job(document):
    return _trigger(_matching(app.conf["JOBS_ES_URL"], app.conf["USER_RULES_JOB_INDEX"], document), document)


@app.task(name="hysds.user_rules.evaluate_dataset", **RETRY)
@state.handed_back
def evaluate_dataset(document):
    return _trigger(_matching(app.conf["GRQ_ES_URL"], app.conf["USER_RULES_DATASET_INDEX"], document), document)


@app.task(name="hysds.user_rules.trigger", acks_late=True)
@state.handed_back
def trigger(rule, before):
    fields = {"type": rule["job_type"], "params": rule.get("params") or {}, "queue": rule.get("queue"), "name": rule.get("rule_name")}
    # The chain of rules travels with the job and its dataset, so that rules cannot feed each other for ever.
    return submit({**fields, "rules": [*before, rule["_id"]], "priority": 0, "tags": ["user-rule"]}, patience=state.PATIENCE)
