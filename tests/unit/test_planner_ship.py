"""ship's plan: queues side by side, nothing for what is stored and runs already, no wait for stopped workers."""

from __future__ import annotations

import dataclasses
from typing import Any

from sdsk8s.model.bundle import ENV, STEP, BundledFile, archive, bundle_from_dict
from sdsk8s.model.component import RULES, Component
from sdsk8s.model.names import APPLIED, COMPONENT, CONFIG_HASH
from sdsk8s.model.observed import Observed
from sdsk8s.planner.running_images import live_bundles
from sdsk8s.planner.ship import Bucket, QueueShip, plan_ship
from sdsk8s.planner.steps import Apply, Group
from sdsk8s.render.bundles import keep_configuration, with_bundle
from sdsk8s.render.digests import pin_digests
from sdsk8s.render.hashes import content_hash

REF = "reg:5000/demo/bundle/small-ops:abc"
SPEC = bundle_from_dict({"packages": ["app", "lib"], "import": ["app"]}, "here", RULES)
CODE = archive("small", "pods/small-ops.tbz2", [BundledFile.of("app/x.py", b"1", 0o644)])
WHOLE = archive("small", "small-ops.tbz2", [BundledFile.of("app/x.py", b"1", 0o644), BundledFile.of("s", b"2", 0o600)])


def worker(name: str, replicas: int = 1, ref: str = "", config: str = "c1") -> dict[str, Any]:
    container = {"name": "worker", "image": "reg/w:1", "env": [{"name": "SDS_QUEUE", "value": "small"}]}
    template: dict[str, Any] = {"metadata": {"annotations": {CONFIG_HASH: config}}, "spec": {"containers": [container]}}
    if ref:
        assert SPEC is not None
        with_bundle(template, SPEC, ref)
    metadata = {"name": name, "labels": {COMPONENT: "workers"}, "annotations": {}}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas, "template": template}}


def live(obj: dict[str, Any], **digests: str) -> Observed:
    return Observed({"Deployment": {obj["metadata"]["name"]: obj}}, digests)


def types(plan: Any) -> list[str]:
    return [type(s).__name__ for s in plan.steps()]


def test_pack_push_roll_wait_per_queue_side_by_side() -> None:
    rows = [QueueShip(q, "workers", False, code=CODE, ref=f"{REF}{q}", worker=worker(q)) for q in ("a", "b")]
    both = Observed({"Deployment": {q: worker(q) for q in ("a", "b")}})
    plan = plan_ship("all queues", rows, both, "sds")
    assert types(plan) == ["Pack", "Push", "Apply", "WaitReady"] * 2
    queues = plan.root.children[0]
    assert isinstance(queues, Group) and queues.parallel and len(queues.children) == 2


def test_a_key_that_was_deleted_comes_back_though_nothing_else_is_to_be_done() -> None:
    row = QueueShip("small", "workers", True, code=CODE, ref=REF)
    key = {"kind": "Secret", "metadata": {"name": "bundle-key", "annotations": {APPLIED: "h"}}}
    gone, there = Observed({}, {REF: "sha256:1"}), Observed({"Secret": {"bundle-key": key}}, {REF: "sha256:1"})
    assert types(plan_ship("small", [row], gone, "sds", {"bundle-key": key})) == ["Apply"]
    assert plan_ship("small", [row], there, "sds", {"bundle-key": key}).empty


def test_nothing_to_do_and_what_is_left_to_do() -> None:
    row = QueueShip("small", "workers", False, WHOLE, Bucket("code", WHOLE.file, True), CODE, REF)
    there = Observed({}, {REF: "sha256:1"})
    assert plan_ship("small", [row], there, "sds").empty
    gone = dataclasses.replace(row, bucket=Bucket("code", WHOLE.file, False))
    assert types(plan_ship("small", [gone], there, "sds")) == ["Pack", "Upload"]
    stopped = dataclasses.replace(row, worker=worker("w"))
    plan = plan_ship("small", [stopped], dataclasses.replace(live(worker("w", replicas=0)), digests=there.digests), "n")
    assert types(plan) == ["Apply"]
    step = plan.steps()[0]
    assert isinstance(step, Apply) and step.obj["spec"]["replicas"] == 0
    absent = plan_ship("small", [dataclasses.replace(row, deployed=False)], there, "sds")
    assert "no workers in the cluster yet" in " ".join(absent.notes)


def test_pods_fetch_by_digest_and_an_update_keeps_it() -> None:
    obj = pin_digests(worker("w", ref=REF), {REF: "sha256:77"})
    spec = obj["spec"]["template"]["spec"]
    step = spec["initContainers"][0]
    assert step["name"] == STEP and step["env"][0] == {"name": ENV, "value": f"{REF}@sha256:77"}
    env = {e["name"]: e["value"] for e in spec["containers"][0]["env"]}
    assert env["PYTHONPATH"] == "/opt/sds/etc:/opt/sds/bundle/code/app" and env[ENV] == "abc"
    assert live_bundles(Component("workers"), live(obj)) == {"small": (REF, "sha256:77")}


def test_shipping_delivers_no_configuration() -> None:
    kept = keep_configuration(worker("w", ref=REF, config="c2"), worker("w", config="c1"))
    assert kept["spec"]["template"]["metadata"]["annotations"][CONFIG_HASH] == "c1"
    # The next update still sees a difference.
    assert content_hash(kept) != content_hash(worker("w", ref=REF, config="c2"))
