"""Rules of users: when a finished job or a dataset matches, a follow-up job is submitted."""

from hysds_commons.search import Search

from hysds.celery import app


def _matching(url, index, document):
    """Rules are field/value pairs; the search engine is only read."""
    rules = Search(url).search(index, {"size": 1000, "query": {"term": {"enabled": True}}})
    return [r for r in rules if all(str(document.get(k)) == str(v) for k, v in r.get("match", {}).items())]


@app.task(name="hysds.user_rules.evaluate_job", acks_late=True)
def evaluate_job(document):
    rules = _matching(app.conf["JOBS_ES_URL"], app.conf["USER_RULES_JOB_INDEX"], document)
    return _trigger(rules, document)


@app.task(name="hysds.user_rules.evaluate_dataset", acks_late=True)
def evaluate_dataset(document):
    rules = _matching(app.conf["GRQ_ES_URL"], app.conf["USER_RULES_DATASET_INDEX"], document)
    return _trigger(rules, document)


def _trigger(rules, document):
    for rule in rules:
        app.signature("hysds.user_rules.trigger", args=[rule, document]).apply_async(queue="user_rules_trigger")
    return len(rules)


@app.task(name="hysds.user_rules.trigger", acks_late=True)
def trigger(rule, document):
    from hysds.orchestrator import submit

    if document.get("rule") == rule["_id"]:
        return "a rule does not trigger itself"
    fields = {"type": rule["job_type"], "params": rule.get("params") or {}, "queue": rule.get("queue"), "name": rule.get("rule_name")}
    return submit({**fields, "rule": rule["_id"], "priority": 0, "tags": ["user-rule"]})
