"""Revisions: what their metadata says, what may not be pruned, and what an operator is shown of a change."""

from __future__ import annotations

import base64
from typing import Any

from sdsk8s.model.component import Component
from sdsk8s.model.history import Revision, fingerprint, images_in, kept_digests, revision_of
from sdsk8s.model.names import APPLIED, COMPONENT
from sdsk8s.model.observed import Observed
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.record import with_records
from sdsk8s.planner.redeploy import plan_redeploy, with_digests
from sdsk8s.planner.restart import plan_restart
from sdsk8s.planner.steps import Apply, Group, Plan, Record, Restart, Unstick, WaitReady
from sdsk8s.planner.undo import plan_undo
from sdsk8s.render.changes import config_changes, tree_changes

READY = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def workload(name: str, image: str, *, kind: str = "Deployment", applied: str = "x", **spec: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": name, "labels": {COMPONENT: "app"}, "annotations": {APPLIED: applied}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "main", "image": image}]}}, **spec},
    }


def live(*objects: dict[str, Any]) -> Observed:
    kinds: dict[str, dict[str, Any]] = {}
    for o in objects:
        kinds.setdefault(o["kind"], {})[o["metadata"]["name"]] = o
    return Observed(objects=kinds)


APP = Component("app")


def test_a_revision_survives_its_annotations() -> None:
    one = Revision(
        "app", 3, "2026-01-31T00:00:00Z", "a@b", "update", "why", "r", {"r:5000/s/a:t": "sha256:1"}, "c", "f"
    )
    secret = {"metadata": {"labels": {"sdsk8s/history": "app"}, "annotations": one.annotations()}}
    assert revision_of(secret) == one
    assert revision_of({"metadata": {"labels": {}, "annotations": {}}}) is None
    assert kept_digests([one]) == {"r:5000/s/a@sha256:1"}


def test_the_fingerprint_follows_the_digest() -> None:
    tagged, pinned = workload("a", "r/a:1"), workload("a", "r/a:1@sha256:1")
    assert fingerprint([tagged], {"r/a:1": "sha256:1"}) == fingerprint([pinned])
    assert fingerprint([tagged], {"r/a:1": "sha256:2"}) != fingerprint([pinned])


def test_undo_sees_a_digest_that_differs_under_the_same_tag() -> None:
    old, now = workload("a", "r/a:1@sha256:1"), workload("a", "r/a:1@sha256:2")
    plan = plan_undo("undo", "app", [[Desired(APP, (old,), {})]], live(now), "sds")
    assert [type(s) for s in plan.steps()] == [Apply, WaitReady, Record]
    assert plan_undo("undo", "app", [[Desired(APP, (now,), {})]], live(now), "sds").empty is False  # not ready yet


def test_undo_frees_a_statefulset() -> None:
    old = workload("db", "r/db:1@sha256:1", kind="StatefulSet")
    bad = workload("db", "r/db:1@sha256:2", kind="StatefulSet", applied="y")
    plan = plan_undo("undo", "app", [[Desired(APP, (old,), {})]], live(bad), "sds")
    assert [type(s) for s in plan.steps()] == [Apply, Unstick, WaitReady, Record]


def test_a_moved_tag_is_taken_and_an_unknown_one_kept() -> None:
    objects = [workload("a", "r/a:1@sha256:1"), workload("b", "r/b:1@sha256:1")]
    assert images_in(with_digests(objects, {"r/a:1": "sha256:9", "r/b:1": None})) == {
        "r/a:1": "sha256:9",
        "r/b:1": "sha256:1",
    }


def test_a_start_that_leaves_old_objects_records_nothing() -> None:
    wanted = Desired(APP, (workload("a", "r/a:1", applied="new"),), {})
    empty = Plan("start", "app", "sds", Group("start", ()))
    assert with_records(empty, [wanted], live(workload("a", "r/a:1", applied="old")), {}).empty


def test_what_a_dead_run_left_unrecorded_is_recorded() -> None:
    wanted = Desired(APP, (workload("a", "r/a:1"),), {})
    empty = Plan("update", "app", "sds", Group("update", ()))
    steps = with_records(empty, [wanted], live(workload("a", "r/a:1")), {}).steps()
    assert [type(s) for s in steps] == [WaitReady, Record]


def test_the_note_on_what_a_dead_run_left_says_what_is_done_about_it() -> None:
    wanted = Desired(APP, (workload("a", "r/a:1"),), {})
    empty = Plan(
        "update",
        "app",
        "sds",
        Group("update", ()),
        ("app: no change in code or configuration", "other: no change in code or configuration"),
    )
    rolling = workload("a", "r/a:1")
    ready = {**rolling, "status": dict.fromkeys(READY, 1)}
    first, other = with_records(empty, [wanted], live(rolling), {}).notes
    assert "interrupted; waiting for Deployment/a, then recording the revision" in first
    assert other == "other: no change in code or configuration"
    assert "its pods are ready: recording the revision" in with_records(empty, [wanted], live(ready), {}).notes[0]
    recorded = {"app": Revision("app", 1, content=fingerprint(wanted.objects))}
    assert with_records(empty, [wanted], live(ready), recorded).notes == empty.notes


def test_restart_of_one_workload_touches_no_other() -> None:
    there = live(workload("a", "i"), workload("b", "i"))
    steps = plan_restart("app", [[APP]], there, "sds", "a").steps()
    assert [(type(s), getattr(s, "name", "")) for s in steps] == [(Restart, "a"), (WaitReady, "a")]


def test_restart_and_redeploy_free_a_statefulset_that_is_not_ready() -> None:
    stuck = workload("db", "r/db:1@sha256:1", kind="StatefulSet")
    ready = {**stuck, "status": dict.fromkeys(READY, 1)}
    after = workload("db", "r/db:1@sha256:2", kind="StatefulSet", applied="y")

    def names(plan: Plan) -> list[str]:
        return [type(s).__name__ for s in plan.steps()]

    assert names(plan_restart("app", [[APP]], live(stuck), "sds")) == ["Restart", "Unstick", "WaitReady"]
    assert names(plan_restart("app", [[APP]], live(ready), "sds")) == ["Restart", "WaitReady"]
    for wanted, steps in ((stuck, ["Restart", "Unstick", "WaitReady"]), (after, ["Apply", "Unstick", "WaitReady"])):
        assert names(plan_redeploy("app", [[Desired(APP, (wanted,), {})]], live(stuck), "sds"))[:3] == steps


def test_restart_waits_for_what_does_not_serve_throughout() -> None:
    upper = Component("upper", needs=("app",))
    other = workload("u", "i")
    other["metadata"]["labels"][COMPONENT] = "upper"
    rolling = live(workload("a", "i"), other)
    recreate = live(workload("a", "i", strategy={"type": "Recreate"}), other)
    assert len(plan_restart("all", [[APP], [upper]], rolling, "sds").root.children) == 1
    assert len(plan_restart("all", [[APP], [upper]], recreate, "sds").root.children) == 2


def test_changes_name_files_and_keys_and_no_secret() -> None:
    assert tree_changes({"i": {"p/a": "1", "p/b": "1"}}, {"i": {"p/a": "2", "p/c": "1"}}) == [
        "image i, package p: 1 added, 1 changed, 1 removed: +c, ~a, -b"
    ]
    assert tree_changes({"i": {"p/a": "1"}}, {"i": {"p/a": "1", "p/\udcff\x1b[2J\n": "1"}})[0].isprintable()

    def secret(value: str) -> dict[str, Any]:
        return {"kind": "Secret", "metadata": {"name": "s"}, "data": {"k": base64.b64encode(value.encode()).decode()}}

    lines = config_changes([secret("hunter22")], [secret("other22")])
    assert len(lines) == 1 and "Secret/s key k: changed" in lines[0] and "22" not in lines[0]
