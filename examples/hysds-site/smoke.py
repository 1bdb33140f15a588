"""Takes a job through the REST API to job-completed, then one that a user rule submits. Standard library only.

kubectl -n hysds exec -i deploy/mozart-api -c api -- python - < examples/hysds-site/smoke.py

The job's container document has no `id`: then the worker runs the command in its own image, and needs no engine.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

MOZART = os.environ.get("MOZART", "http://mozart:8888/api/v0.1")
GRQ = os.environ.get("GRQ", "http://grq:8878/api/v0.1")
SEARCH = os.environ.get("SEARCH", "http://elasticsearch:9200")
QUEUE = os.environ.get("QUEUE", "factotum-job_worker-small")
JOB = "job-smoke:v1"


def call(method, url, form=None, body=None):
    """(status, decoded answer); form is sent url-encoded, body as JSON."""
    data, kind = None, "application/json"
    if form is not None:
        data, kind = urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"
    elif body is not None:
        data = json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": kind}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=90) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as err:
        return err.code, {"words": err.read()[:500].decode("utf-8", "replace")}


def must(what, answer):
    status, reply = answer
    if not 200 <= status < 300 or reply.get("success") is False:
        sys.exit(f"{what}: {status} {json.dumps(reply)[:600]}")
    return reply


def put(index, ident, document):
    must(
        f"{index}/{ident}",
        call("PUT", f"{SEARCH}/{index}/_doc/{urllib.parse.quote(ident)}?refresh=true", body=document),
    )


def describe_job():
    io = {
        "id": JOB.replace("job", "hysds-io", 1),
        "job-specification": JOB,
        "job-version": "v1",
        "component": "mozart",
        "label": "smoke",
        "params": [{"name": "word", "from": "submitter", "type": "text"}],
    }
    spec = {
        "id": JOB,
        "container": "worker-image",
        "command": "/bin/echo",
        "params": [{"name": "word", "destination": "positional"}],
        "soft_time_limit": 600,
        "time_limit": 1000,
        "required-queues": [QUEUE],
    }
    put("containers", "worker-image", {"version": "v1"})
    must("job_spec/add", call("POST", f"{MOZART}/job_spec/add", form={"spec": json.dumps(spec)}))
    must("hysds_io/add", call("POST", f"{MOZART}/hysds_io/add", form={"spec": json.dumps(io)}))


def index_dataset():
    """A dataset with a shape on the map, through the dataset REST API."""
    polygon = [[[-120.0, 34.0], [-119.0, 34.0], [-119.0, 35.0], [-120.0, 35.0], [-120.0, 34.0]]]
    info = {
        "id": f"smoke-{int(time.time())}",
        "version": "v1.0",
        "dataset": "smoke",
        "dataset_type": "smoke",
        "label": "smoke",
        "urls": [],
        "metadata": {},
        "location": {"type": "polygon", "coordinates": polygon},
    }
    begun = time.monotonic()
    reply = must("dataset/index", call("POST", f"{GRQ}/grq/dataset/index", form={"dataset_info": json.dumps(info)}))
    print(f"dataset {info['id']} is in {reply.get('index')} after {time.monotonic() - begun:.2f} s")


def submit(name, tag):
    form = {
        "type": JOB,
        "queue": QUEUE,
        "priority": 0,
        "name": name,
        "tags": json.dumps([tag]),
        "params": json.dumps({"word": name}),
        "enable_dedup": "false",
    }
    begun = time.monotonic()
    reply = must("job/submit", call("POST", f"{MOZART}/job/submit", form=form))
    return reply["result"], time.monotonic() - begun


def states(wanted, limit=60):
    """[(seconds, status)] as the index shows them until a job for which wanted(document) is done, and its document."""
    seen, begun, found = [(0.0, "not indexed")], time.monotonic(), {}
    while time.monotonic() - begun < limit:
        call("POST", f"{SEARCH}/job_status*/_refresh")
        query = "_search?ignore_unavailable=true&size=50&sort=@timestamp:desc"
        _, reply = call("GET", f"{SEARCH}/job_status-current,job_failed/{query}")
        sources = [hit["_source"] for hit in reply.get("hits", {}).get("hits", [])]
        found = next((source for source in sources if wanted(source)), {})
        if found and found["status"] != seen[-1][1]:
            seen.append((round(time.monotonic() - begun, 2), found["status"]))
        if found.get("status") in ("job-completed", "job-failed"):
            break
        time.sleep(0.1)
    return seen, found


def report(title, seen, document):
    info = document.get("job", {}).get("job_info", {})
    print(f"{title}: {', '.join(f'{s} s {state}' for s, state in seen)}")
    for key in ("payload_id", "celery_hostname", "error"):
        if document.get(key):
            print(f"  {key} {document[key]}")
    print(f"  queue {info.get('job_queue')}, work folder {info.get('job_dir')}, ran {info.get('duration')} s")
    return seen[-1][1] == "job-completed"


def main():
    begun = time.monotonic()
    describe_job()
    ident, seconds = submit(f"smoke-{int(time.time())}", "smoketag")
    print(f"job/submit answered {ident} in {seconds:.2f} s")
    ok = report("job", *states(lambda job: job["payload_id"] == ident))
    status = must("job/status", call("GET", f"{MOZART}/job/status?id={ident}"))
    queues = must("queue/list", call("GET", f"{MOZART}/queue/list"))["result"]
    print(f"job/status says {status.get('status')}; queue/list names {', '.join(sorted(queues['queues']))}")
    index_dataset()
    tag = f"rule{int(time.time())}"
    rule = {
        "rule_name": tag,
        "workflow": JOB.replace("job", "hysds-io", 1),
        "job_spec": JOB,
        "priority": 0,
        # not the job that the rule submits: it has the same tag
        "query_string": json.dumps({"bool": {"must": [{"match": {"job.tag": tag}}, {"prefix": {"job_id": "cause"}}]}}),
        "kwargs": json.dumps({"word": "triggered"}),
        "queue": QUEUE,
        "tags": ["effect"],
    }
    must("user-rules", call("POST", f"{MOZART}/user-rules", body=rule))
    call("POST", f"{SEARCH}/user_rules-mozart/_refresh")
    ident, _ = submit("cause", tag)
    ok = report("cause", *states(lambda job: job["payload_id"] == ident)) and ok
    ok = report("effect", *states(lambda job: job["payload_id"] != ident and ident in job["job_id"])) and ok
    print(f"{'passed' if ok else 'FAILED'} in {time.monotonic() - begun:.1f} s")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
