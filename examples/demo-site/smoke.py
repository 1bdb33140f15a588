"""Submits jobs over the REST API, waits until each is completed and its dataset is in the catalogue, prints both.

Talks only to the two REST APIs of the system. Exit code 1 when not every job is through in time.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


def call(url, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as err:
        try:
            return err.code, json.load(err)
        except ValueError:
            return err.code, {"message": str(err)}
    except OSError as err:
        return 0, {"message": str(err)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mozart", required=True, metavar="URL")
    parser.add_argument("--grq", required=True, metavar="URL")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--queue", help="default: the job type's own")
    parser.add_argument("--type", default="hello")
    parser.add_argument("--sleep", type=float, help="jobs that sleep this many seconds")
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("-o", dest="output", choices=["text", "json"], default="text")
    args = parser.parse_args()
    kind, params = ("sleep", {"seconds": str(args.sleep)}) if args.sleep is not None else (args.type, {"name": "demo"})
    begun = time.monotonic()
    waiting = {}
    for _ in range(args.count):
        job = {"type": kind, "params": params, "queue": args.queue, "priority": 0}
        code, reply = call(f"{args.mozart}/api/v0.1/job/submit", job)
        if code != 200:
            print(f"submit: {code} {reply.get('message')}", file=sys.stderr)
            return 1
        waiting[reply["result"]] = {"id": reply["result"], "status": "submitted", "dataset": None}
    jobs = dict(waiting)
    while waiting and time.monotonic() - begun < args.timeout:
        for ident in list(waiting):
            if look(args, jobs[ident]):
                del waiting[ident]
        if waiting:
            time.sleep(0.25)
    seconds = round(time.monotonic() - begun, 2)
    done = sum(j["status"] == "job-completed" and bool(j["dataset"]) for j in jobs.values())
    result = {"submitted": len(jobs), "completed": done, "seconds": seconds, "jobs": list(jobs.values())}
    show(result, args)
    return 0 if done == len(jobs) else 1


def look(args, job):
    """True when nothing more is to be expected of the job."""
    code, reply = call(f"{args.mozart}/api/v0.1/job/info?id={job['id']}")
    if code != 200:
        return False
    found = reply["result"]
    job |= {k: found.get(k) for k in ("type", "status", "queue", "worker", "node", "deliveries", "error", "history")}
    if found["status"] in ("job-failed", "job-revoked"):
        return True
    if found["status"] != "job-completed":
        return False
    code, reply = call(f"{args.grq}/api/v0.1/grq/dataset?id={urllib.parse.quote(found['datasets'][0])}")
    if code == 200:
        job["dataset"] = reply["result"]
    return code == 200


def show(result, args):
    if args.output == "json":
        for job in result["jobs"]:
            job["dataset"] = job["dataset"] and job["dataset"]["id"]
        print(json.dumps(result, indent=2))
        return
    for job in result["jobs"][:5]:
        print(f"job {job['id']}  {job.get('type', '')}  {job['status']}")
        for step in job.get("history") or ():
            print(f"  {step['at']}  {step['status']}")
        print(f"  queue {job.get('queue')}, run by {job.get('node')}")
        if job["dataset"]:
            print(f"  dataset {job['dataset']['id']}  sha256 {job['dataset']['sha256'][:16]}")
    print(f"{result['completed']} of {result['submitted']} jobs completed with their datasets in {result['seconds']} s")


if __name__ == "__main__":
    sys.exit(main())
