"""Is a goal reached, and what is in the way: judged from objects as a real API server gives them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sdsk8s.model.goals import Goal, Gone, JobDone, Judgement, RolloutReady, judge, kinds, title
from sdsk8s.model.observed import Observed
from sdsk8s.model.readiness import exit_words, is_ready, pod_facts, pod_trouble
from sdsk8s.model.rollout import obsolete_pods, rollout, rollout_trouble

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SINCE = NOW - timedelta(minutes=2)


class Picture:
    """Objects in memory, as the informer would hold them."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = objects

    def get(self, kind: str, name: str) -> Any | None:
        return next((o for o in self.all(kind) if o["metadata"]["name"] == name), None)

    def all(self, kind: str) -> list[Any]:
        return [o for o in self.objects if o["kind"] == kind]


def look(goal: Goal, *objects: dict[str, Any], floor: int = 0) -> Judgement:
    floors = {goal: floor} if isinstance(goal, RolloutReady) else {}
    return judge(Picture(*objects), goal, floors, SINCE)


def workload(kind: str = "Deployment", want: int = 1, *, seen: bool = True, **status: Any) -> dict[str, Any]:
    status = {"replicas": want, "updatedReplicas": want, "observedGeneration": 3 if seen else 2, **status}
    return {
        "kind": kind,
        "metadata": {"name": "w", "uid": "w-uid", "generation": 3},
        "spec": {"replicas": want},
        "status": status,
    }


def replica_set(uid: str, revision: int) -> dict[str, Any]:
    notes = {"deployment.kubernetes.io/revision": str(revision)}
    return {
        "kind": "ReplicaSet",
        "metadata": {"name": uid, "uid": uid, "annotations": notes, "ownerReferences": [{"uid": "w-uid"}]},
    }


def pod(name: str = "p", owner: str = "new", *, revision: str = "", ending: bool = False, **status: Any) -> Any:
    meta: dict[str, Any] = {"name": name, "uid": f"{name}-uid", "ownerReferences": [{"uid": owner}]}
    meta["labels"] = {"sdsk8s/component": "a", "controller-revision-hash": revision}
    if ending:
        meta["deletionTimestamp"] = "2026-05-01T11:59:00Z"
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-p"}}]
    spec = {"containers": [{"name": "main"}], "volumes": volumes}
    return {"kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Pending", **status}}


def container(state: dict[str, Any], *, init: bool = False, last: dict[str, Any] | None = None, **more: Any) -> Any:
    key = "initContainerStatuses" if init else "containerStatuses"
    last_state = {"terminated": last} if last else {}
    return {key: [{"name": "main", "restartCount": 0, "ready": False, "state": state, "lastState": last_state, **more}]}


def waiting(reason: str, message: str = "", **more: Any) -> Any:
    return container({"waiting": {"reason": reason, "message": message}}, **more)


def unschedulable(message: str, **more: Any) -> Any:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"conditions": [condition], **more}


def warning(uid: str, reason: str, message: str, age: int = 5, **about: str) -> dict[str, Any]:
    seen = (NOW - timedelta(seconds=age)).isoformat()
    return {
        "kind": "Event", "type": "Warning", "metadata": {"name": f"e{uid}{age}"}, "reason": reason, "message": message,
        "involvedObject": {"uid": uid, **about}, "lastTimestamp": seen,
    }  # fmt: skip


DEPLOYMENT = RolloutReady("Deployment", "w")
STATEFUL = RolloutReady("StatefulSet", "w")
SETS = (replica_set("old", 1), replica_set("new", 2))


# -- reached or not --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("obj", "done", "text"),
    [
        (workload(want=2, readyReplicas=2, availableReplicas=2), True, "2/2 ready"),
        (workload(want=2, readyReplicas=1, availableReplicas=1), False, "1/2 ready"),
        (workload(want=2, readyReplicas=2, availableReplicas=1), False, "2/2 ready, 1/2 available"),
        (workload(want=2, readyReplicas=2, availableReplicas=2, updatedReplicas=1), False, "2/2 ready, 1/2 updated"),
        (workload(want=1, readyReplicas=2, availableReplicas=2, replicas=2), False, "1/1 ready, old pods are ending"),
        (workload(want=1, readyReplicas=1, availableReplicas=1, seen=False), False, "1/1 ready, the controller"),
        (workload(want=0), True, "0/0 ready"),
        (workload("StatefulSet", want=3, readyReplicas=3, availableReplicas=3), True, "3/3 ready"),
        (workload("StatefulSet", want=3, readyReplicas=3, availableReplicas=2), False, "3/3 ready"),
    ],
)
def test_rollout(obj: dict[str, Any], done: bool, text: str) -> None:
    assert rollout(obj).complete is done and rollout(obj).words.startswith(text)
    # A plan must not skip the wait for what a wait would not call complete.
    assert Observed(objects={obj["kind"]: {"w": obj}}).ready(obj["kind"], "w") is done


def test_the_status_of_the_spec_before_is_no_answer() -> None:
    ready = workload(readyReplicas=1, availableReplicas=1)
    assert look(DEPLOYMENT, ready, *SETS).done
    assert not look(DEPLOYMENT, ready, *SETS, floor=4).done


def test_nobody_is_blamed_before_the_controller_has_seen_the_change() -> None:
    bad = pod(owner="new", **waiting("CrashLoopBackOff"))
    assert look(DEPLOYMENT, workload(seen=False), *SETS, bad).troubles == ()
    assert look(DEPLOYMENT, workload(), *SETS, bad, floor=9).troubles == ()
    assert look(DEPLOYMENT, workload(), *SETS, bad).troubles


def test_gone() -> None:
    mine = Gone("sdsk8s/component=a")
    assert not look(mine, pod()).done and look(mine, pod()).text == "1 pod left: p"
    assert look(mine, pod(phase="Succeeded"), pod("q", phase="Failed")).done
    assert look(Gone("sdsk8s/component=b"), pod()).done
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "data-p"}}
    by_name = Gone(kind="PersistentVolumeClaim", name="data-p")
    assert kinds(by_name) == ("PersistentVolumeClaim",) and "PersistentVolumeClaim/data-p" in title(by_name)
    assert not look(by_name, claim).done and look(by_name).done


# -- what cannot heal ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (waiting("ErrImagePull", "no such manifest"), "ErrImagePull", "no such manifest"),
        (waiting("ImagePullBackOff"), "ImagePullBackOff", ""),
        (waiting("InvalidImageName", "couldn't parse"), "InvalidImageName", "parse"),
        (waiting("CreateContainerConfigError", 'secret "s" not found'), "CreateContainerConfigError", "secret"),
        (waiting("RunContainerError", "exec: no such file"), "RunContainerError", "no such file"),
        (waiting("CrashLoopBackOff", last={"exitCode": 137, "reason": "OOMKilled"}), "CrashLoopBackOff", "OOMKilled"),
        (container({"running": {}}, last={"exitCode": 1}, restartCount=2), "crashes", "exit code 1"),
        (container({"terminated": {"exitCode": 6}}, last={"exitCode": 1}, restartCount=1), "crashed twice", "code 6"),
        (
            container(
                {"running": {"startedAt": "2026-11-29T15:19:00Z"}},
                last={"exitCode": 1, "startedAt": "2026-11-29T15:18:20Z", "finishedAt": "2026-11-29T15:18:40Z"},
                restartCount=3,
            ),
            "crashes",
            "exit code 1",
        ),
        (container({"terminated": {"exitCode": 2}}, init=True), "init step failed", "exit code 2"),
        (waiting("CrashLoopBackOff", init=True, last={"exitCode": 3}), "CrashLoopBackOff", "exit code 3"),
        (unschedulable("0/2 nodes are available: insufficient memory"), "Unschedulable", "insufficient memory"),
    ],
)
def test_hopeless_pods(status: dict[str, Any], reason: str, words: str) -> None:
    found = look(DEPLOYMENT, workload(), *SETS, pod(**status)).troubles
    assert [(t.reason, t.hopeless) for t in found] == [(reason, True)]
    assert words in found[0].words and "pod p" in found[0].target


@pytest.mark.parametrize(
    "status",
    [
        {},
        waiting("ContainerCreating"),
        waiting("PodInitializing"),
        container({"running": {}}),
        container({"running": {}}, last={"exitCode": 1}, restartCount=1),
        container({"terminated": {"exitCode": 1}}),
        container({"running": {}}, last={"exitCode": 1}, restartCount=5, ready=True, started=True),
        container({"running": {}}, init=True),
        container({"terminated": {"exitCode": 0}}, init=True),
        # Two reboots of the node lie behind it: it ended long before this start, or lived long before it ended.
        container(
            {"running": {"startedAt": "2026-11-29T15:18:20Z"}},
            last={"exitCode": 143, "startedAt": "2026-11-29T14:55:49Z", "finishedAt": "2026-11-29T14:58:42Z"},
            restartCount=2,
        ),
        container(
            {"running": {"startedAt": "2026-11-29T15:18:20Z"}},
            last={"exitCode": 255, "startedAt": "2026-10-01T00:00:00Z", "finishedAt": "2026-11-29T15:18:00Z"},
            restartCount=7,
        ),
        {"phase": "Failed", "reason": "Evicted", "message": "the node was low on memory"},
    ],
)
def test_what_may_heal_is_no_trouble(status: dict[str, Any]) -> None:
    assert look(DEPLOYMENT, workload(), *SETS, pod(**status)).troubles == ()


def test_old_and_new_pods_are_not_mixed_up() -> None:
    bad = waiting("CrashLoopBackOff")
    assert look(DEPLOYMENT, workload(), *SETS, pod(owner="old", **bad)).troubles == ()
    assert look(DEPLOYMENT, workload(), *SETS, pod(owner="new", **bad)).troubles
    stateful = workload("StatefulSet", updateRevision="r2", currentRevision="r1")
    assert look(STATEFUL, stateful, pod(owner="w-uid", revision="r2", **bad)).troubles[0].reason == "CrashLoopBackOff"
    other = workload("StatefulSet", updateRevision="r2")
    assert look(STATEFUL, other, pod(owner="else", revision="r2", **bad)).troubles == ()


def test_a_stateful_set_stuck_on_an_old_revision_says_which_pod_to_delete() -> None:
    stateful = workload("StatefulSet", updateRevision="r2", currentRevision="r1", updatedReplicas=0)
    found = look(STATEFUL, stateful, pod("w-0", owner="w-uid", revision="r1", **waiting("ImagePullBackOff"))).troubles
    assert [t.reason for t in found] == ["stuck revision"] and "w-0" in found[0].words


def test_ending_pods_are_never_blamed() -> None:
    assert look(DEPLOYMENT, workload(), *SETS, pod(ending=True, **waiting("CrashLoopBackOff"))).troubles == ()


def test_the_same_trouble_keeps_its_key_while_reasons_alternate() -> None:
    keys = {
        look(DEPLOYMENT, workload(), *SETS, pod(**waiting(reason, words))).troubles[0].key
        for reason, words in (("ErrImagePull", "a"), ("ImagePullBackOff", "b"), ("ErrImagePull", "c"))
    }
    assert len(keys) == 1


HOPELESS = [
    waiting("ErrImagePull", "no such manifest"),
    waiting("CreateContainerConfigError", 'secret "s" not found'),
    waiting("CrashLoopBackOff", "back-off 10s", last={"exitCode": 137, "reason": "OOMKilled"}),
    container({"running": {}}, last={"exitCode": 1}, restartCount=2),
    container({"terminated": {"exitCode": 6}}, last={"exitCode": 1}, restartCount=1),
    container({"terminated": {"exitCode": 2}}, init=True),
    unschedulable("0/2 nodes are available: insufficient memory"),
]


@pytest.mark.parametrize("status", HOPELESS, ids=lambda s: str(next(iter(s))))
def test_status_names_the_cause_that_ends_a_wait(status: dict[str, Any]) -> None:
    """They were two judges: a wait ended for `crashes` while status said `running, not ready`."""
    it = pod(**status)
    trouble, facts = pod_trouble(it), pod_facts(it, NOW)
    assert trouble is not None and not facts.ready
    assert facts.reason == trouble.reason and trouble.words in facts.words


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        ({}, "Pending", ""),
        (waiting("ContainerCreating"), "ContainerCreating", "container main"),
        (container({"terminated": {"exitCode": 1}}), "Error", "container main: exit code 1"),
        (container({"running": {}}, init=True, started=True), "Init", "init container main runs"),
        (container({"running": {}}, last={"exitCode": 1}, restartCount=1), "running, not ready", "readiness probe"),
        ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, "Evicted", "low on memory"),
        ({"phase": "Failed", **container({"terminated": {"exitCode": 4}})}, "Failed", "exit code 4"),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}, "Scheduling", ""),
    ],
)
def test_what_a_pod_without_trouble_is_doing(status: dict[str, Any], reason: str, words: str) -> None:
    facts = pod_facts(pod(**status), NOW)
    assert pod_trouble(pod(**status)) is None
    assert facts.reason.startswith(reason) and words in facts.words


def test_a_sidecar_that_runs_holds_nobody_up() -> None:
    it = pod(phase="Running", **container({"running": {}}, init=True))
    it["spec"]["initContainers"] = [{"name": "main", "restartPolicy": "Always"}]
    it["status"] |= container({"running": {}})
    assert pod_facts(it, NOW).reason == "running, not ready"
    assert look(DEPLOYMENT, workload(), *SETS, it).text.endswith("p Running 0/1 ready")


def test_a_pod_that_ends_is_not_ready_for_anybody() -> None:
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    assert is_ready(pod(**ready)) and pod_facts(pod(**ready), NOW).ready
    ending = pod(ending=True, **ready)
    assert not is_ready(ending)
    assert (pod_facts(ending, NOW).ready, pod_facts(ending, NOW).reason) == (False, "ending")


def test_a_bad_revision_is_freed_of_the_pods_that_a_wait_calls_stuck() -> None:
    stateful = workload("StatefulSet", updateRevision="r2")
    old = pod("w-0", owner="w-uid", revision="r1", **waiting("ImagePullBackOff"))
    new = pod("w-1", owner="w-uid", revision="r2", **waiting("ImagePullBackOff"))
    ready = pod("w-2", owner="w-uid", revision="r1", conditions=[{"type": "Ready", "status": "True"}])
    ending = pod("w-3", owner="w-uid", revision="r1", ending=True)
    assert [p["metadata"]["name"] for p in obsolete_pods(stateful, [old, new, ready, ending])] == ["w-0"]


# -- the newest alone counts -----------------------------------------------------------------------------------

QUOTA = 'pods "w-1" is forbidden: exceeded quota: small'
FAILURE = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": QUOTA}


def deployment(revision: int, **status: Any) -> dict[str, Any]:
    obj = workload(replicas=0, updatedReplicas=0, conditions=[FAILURE], **status)
    obj["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": str(revision)}
    return obj


def failing(it: dict[str, Any]) -> dict[str, Any]:
    return {**it, "status": {"conditions": [FAILURE]}}


def test_a_deployment_repeats_the_failure_of_an_old_replica_set_and_is_not_believed() -> None:
    """Found in use: `update` of a fixed manifest failed with the words of the broken one."""
    old, new = failing(replica_set("old", 1)), replica_set("new", 2)
    assert look(DEPLOYMENT, deployment(2), old, new).troubles == ()
    assert rollout_trouble(deployment(2), [old, new]) is None
    found = look(DEPLOYMENT, deployment(2), replica_set("old", 1), failing(new)).troubles
    assert [t.words for t in found] == [QUOTA]


def test_nobody_is_blamed_while_the_newest_replica_set_is_not_in_the_picture() -> None:
    old = failing(replica_set("old", 1))
    bad = pod(owner="old", **waiting("CrashLoopBackOff"))
    assert look(DEPLOYMENT, deployment(2), old, bad).troubles == ()
    assert look(DEPLOYMENT, deployment(1), old, bad).troubles[0].reason == "CrashLoopBackOff"


def test_without_replica_sets_what_the_deployment_says_has_to_do() -> None:
    found = rollout_trouble(deployment(2), None)
    assert found is not None and found.words == QUOTA
    stale = {**deployment(2), "metadata": {**deployment(2)["metadata"], "generation": 4}}
    assert rollout_trouble(stale, None) is None, "the status is about the spec before"


def test_a_refusal_from_before_the_last_change_is_the_fault_of_the_manifest_before() -> None:
    none = workload("StatefulSet", replicas=0, updatedReplicas=0)
    written = (NOW - timedelta(seconds=10)).isoformat()
    status = {"subresource": "status", "time": NOW.isoformat()}
    none["metadata"]["managedFields"] = [{"time": written, "manager": "sdsk8s"}, status]
    assert look(STATEFUL, none, warning("w-uid", "FailedCreate", QUOTA, age=20)).troubles == ()
    assert [t.words for t in look(STATEFUL, none, warning("w-uid", "FailedCreate", QUOTA, age=5)).troubles] == [QUOTA]


# -- scheduling and claims -------------------------------------------------------------------------------------


def test_a_pod_that_waits_for_its_claim_is_not_given_up() -> None:
    found = look(
        DEPLOYMENT, workload(), *SETS, pod(**unschedulable("pod has unbound immediate PersistentVolumeClaims"))
    )
    assert [t.hopeless for t in found.troubles] == [False]


def test_a_claim_that_nothing_will_ever_bind_is_given_up() -> None:
    unbound = pod(**unschedulable("pod has unbound immediate PersistentVolumeClaims"))
    claim = {"kind": "PersistentVolumeClaim", "name": "data-p"}
    slow = warning("c", "ProvisioningFailed", "driver is starting", **claim)
    never = warning("c", "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found', **claim)
    assert not any(t.hopeless for t in look(DEPLOYMENT, workload(), *SETS, unbound, slow).troubles)
    found = look(DEPLOYMENT, workload(), *SETS, unbound, never).troubles
    assert found[0].hopeless and '"fast" not found' in found[0].words and "data-p" in found[0].target


def test_room_is_awaited_while_other_pods_end_or_are_pushed_aside() -> None:
    tight = unschedulable("insufficient cpu")
    leaving = pod("q", owner="old", ending=True)
    assert [t.hopeless for t in look(DEPLOYMENT, workload(), *SETS, pod(**tight), leaving).troubles] == [False]
    pushed = pod(**unschedulable("insufficient cpu", nominatedNodeName="n1"))
    assert [t.hopeless for t in look(DEPLOYMENT, workload(), *SETS, pushed).troubles] == [False]


def test_a_mounted_config_that_is_not_there_is_named() -> None:
    creating = pod(**waiting("ContainerCreating"))
    missing = warning("p-uid", "FailedMount", 'MountVolume.SetUp failed for volume "etc" : configmap "c" not found')
    slow = warning("p-uid", "FailedMount", "timed out waiting for the condition")
    assert [t.hopeless for t in look(DEPLOYMENT, workload(), *SETS, creating, missing).troubles] == [True]
    assert [t.hopeless for t in look(DEPLOYMENT, workload(), *SETS, creating, slow).troubles] == [False]
    running = pod(**container({"running": {}}))
    assert look(DEPLOYMENT, workload(), *SETS, running, missing).troubles == ()


# -- what controllers may not create ---------------------------------------------------------------------------


def test_quota_as_a_condition_of_a_deployment() -> None:
    found = look(DEPLOYMENT, deployment(2), SETS[0], failing(SETS[1])).troubles
    assert [(t.reason, t.words) for t in found] == [("FailedCreate", QUOTA)]


def test_pod_security_as_an_event_of_a_stateful_set() -> None:
    words = 'create Pod w-0 in StatefulSet w failed: pods "w-0" is forbidden: violates PodSecurity "restricted:latest"'
    refused = warning("w-uid", "FailedCreate", words)
    none = workload("StatefulSet", replicas=0, updatedReplicas=0)
    assert [t.words for t in look(STATEFUL, none, refused).troubles] == [words]
    old = warning("w-uid", "FailedCreate", words, age=600)
    assert look(STATEFUL, none, old).troubles == ()
    every_pod_is_there = workload("StatefulSet", replicas=1)
    assert look(STATEFUL, every_pod_is_there, refused).troubles == ()


def test_the_deadline_of_a_deployment() -> None:
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    assert look(DEPLOYMENT, workload(conditions=[condition]), *SETS).troubles[0].reason == "ProgressDeadlineExceeded"


# -- jobs ------------------------------------------------------------------------------------------------------

JOB = JobDone("j")


def job(*conditions: dict[str, Any], failed: int = 0) -> dict[str, Any]:
    meta = {"name": "j", "uid": "j-uid"}
    return {"kind": "Job", "metadata": meta, "status": {"failed": failed, "conditions": list(conditions)}}


def test_job_done() -> None:
    assert look(JOB, job({"type": "Complete", "status": "True"})).done
    assert not look(JOB, job({"type": "Complete", "status": "False"})).done
    assert not look(JOB).done


def test_failed_attempts_of_a_job_are_no_verdict_until_the_job_gives_up() -> None:
    tried = pod("j-1", owner="j-uid", phase="Failed", **container({"terminated": {"exitCode": 1}}))
    first = pod("j-1", owner="j-uid", **container({"terminated": {"exitCode": 1}}, init=True))
    again = pod("j-1", owner="j-uid", **waiting("CrashLoopBackOff", last={"exitCode": 1}))
    for attempt in (tried, first, again):
        assert not any(t.hopeless for t in look(JOB, job(failed=1), attempt).troubles)
    given_up = job({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "limit"}, failed=3)
    found = look(JOB, given_up, tried).troubles
    assert [(t.reason, t.words, t.pod, t.container) for t in found] == [("failed", "exit code 1", "j-1", "main")]
    assert look(JOB, given_up).troubles[0].words == "limit"


def test_an_image_that_cannot_be_pulled_ends_the_wait_for_a_job() -> None:
    assert look(JOB, job(), pod(owner="j-uid", **waiting("ImagePullBackOff"))).troubles[0].hopeless
    refused = warning("j-uid", "FailedCreate", "exceeded quota")
    assert [t.reason for t in look(JOB, job(), refused).troubles] == ["FailedCreate"]


# -- words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"exitCode": 1, "reason": "Error"}, "exit code 1"),
        ({"exitCode": 137, "reason": "OOMKilled"}, "exit code 137 (OOMKilled)"),
        (
            {"exitCode": 128, "reason": "StartError", "message": "no such file"},
            "exit code 128 (StartError): no such file",
        ),
    ],
)
def test_exit_words(state: dict[str, Any], words: str) -> None:
    assert exit_words(state) == words


def test_progress_is_one_line_and_one_per_pod() -> None:
    first = pod("w-1", **waiting("ImagePullBackOff"))
    second = pod("w-2", phase="Running", **container({"running": {}}, ready=True))
    seeding = pod("w-3", **container({"running": {}}, init=True))
    text = look(DEPLOYMENT, workload(want=3, readyReplicas=1), *SETS, first, second, seeding).text
    assert text.splitlines() == [
        "Deployment/w 1/3 ready",
        "  w-1 main: ImagePullBackOff",
        "  w-2 Running 1/1 ready",
        "  w-3 init container main runs",
    ]
