"""What the back end does when the API server misbehaves."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import at_most
from fake_apiserver import FakeApiServer, Handler, times
from kubernetes import client

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.leases import Lock
from sdsk8s.backends.kubernetes.wait import wait
from sdsk8s.errors import ClusterError, RefusedError, WaitError
from sdsk8s.model.goals import Gone, RolloutReady

PODS = "/api/v1/namespaces/sds/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/sds/deployments"
SETS = "/apis/apps/v1/namespaces/sds/replicasets"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/sds/leases"
EVENTS = "/api/v1/namespaces/sds/events"


@pytest.fixture
def api() -> Iterator[FakeApiServer]:
    server = FakeApiServer()
    for collection in (PODS, DEPLOYMENTS, SETS, LEASES, EVENTS):
        server.objects[collection] = {}
    yield server
    server.close()


@pytest.fixture
def cluster(api: FakeApiServer) -> Cluster:
    configuration = client.Configuration()
    configuration.host = api.url
    configuration.retries = False
    return Cluster(configuration, "sds")


def pod(name: str, owner: str = "rs1", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "labels": {"sdsk8s/component": "a", "app.kubernetes.io/part-of": "sds"},
            "ownerReferences": [{"uid": owner}],
        },
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": "Pending", **status},
    }


def deployment(ready: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "w", "uid": "d1", "generation": 1},
        "spec": {"replicas": 1},
        "status": {
            "observedGeneration": 1,
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": ready,
            "availableReplicas": ready,
        },
    }


def replica_set(uid: str, revision: int) -> dict[str, Any]:
    return {
        "metadata": {
            "name": uid,
            "uid": uid,
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [{"uid": "d1"}],
        }
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {
        "containerStatuses": [
            {"name": "main", "restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}}
        ]
    }


def later(seconds: float, act: Any) -> None:
    threading.Timer(seconds, act).start()


# -- requests --------------------------------------------------------------------------------------------------


def test_too_many_requests_are_retried_after_the_servers_pause(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(PODS, pod("p"))
    api.faults.append(times(2, lambda h: h.status(429, "TooManyRequests", "slow down", Retry_After="1")))
    start = time.monotonic()
    found = cluster.get("Pod", "p")
    assert found is not None and found["metadata"]["name"] == "p"
    assert time.monotonic() - start >= 2


def test_server_errors_and_cut_connections_are_retried(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(PODS, pod("p"))

    def cut(handler: Handler) -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    api.faults.append(times(1, lambda h: h.status(503, "ServiceUnavailable", "starting")))
    api.faults.append(times(1, cut))
    assert len(cluster.list("Pod")) == 1


def test_a_create_is_not_repeated_blindly(api: FakeApiServer, cluster: Cluster) -> None:
    api.faults.append(times(9, lambda h: h.status(500, "InternalError", "who knows"), match="POST"))
    with pytest.raises(ClusterError, match="500"):
        cluster.create({"kind": "Lease", "metadata": {"name": "x"}})
    assert len([r for r in api.requests if r.startswith("POST")]) == 1


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [(401, "Unauthorized", "rejected the credentials"), (403, "Forbidden", "may not do that")],
)
def test_refusals_carry_the_servers_words(
    api: FakeApiServer, cluster: Cluster, code: int, reason: str, words: str
) -> None:
    api.faults.append(times(9, lambda h: h.status(code, reason, "the server's own words")))
    with pytest.raises(ClusterError, match=words) as err:
        cluster.list("Pod")
    assert err.value.words == "the server's own words" and err.value.next


def test_an_answer_that_is_no_json_is_an_error_of_ours(api: FakeApiServer, cluster: Cluster) -> None:
    api.faults.append(times(99, lambda h: h.answer(502, b"<html>bad gateway</html>")))
    with pytest.raises(ClusterError) as err:
        cluster.create({"kind": "Lease", "metadata": {"name": "x"}})
    assert "bad gateway" in err.value.words


# -- waits -----------------------------------------------------------------------------------------------------


def test_wait_sees_a_change_at_once(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(DEPLOYMENTS, deployment(0))
    later(0.5, lambda: api.put(DEPLOYMENTS, deployment(1)))
    start = time.monotonic()
    wait(cluster, [RolloutReady("Deployment", "w")], timeout=10)
    assert 0.4 < time.monotonic() - start < at_most(2)
    watches = [r for r in api.requests if "watch=1" in r]
    assert len(watches) == 4, "one watch per kind, not one per look"


def test_expired_watch_is_followed_by_a_new_list(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(DEPLOYMENTS, deployment(0))

    def expire(handler: Handler) -> None:
        handler.stream_start()
        handler.chunk({"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}})
        handler.stream_end()

    api.faults.append(times(3, expire, match="deployments?watch=1"))
    later(1.0, lambda: api.put(DEPLOYMENTS, deployment(1)))
    wait(cluster, [RolloutReady("Deployment", "w")], timeout=10)
    assert len([r for r in api.requests if r.startswith(f"GET {DEPLOYMENTS}?labelSelector")]) >= 4


def test_watch_that_is_cut_in_mid_stream_goes_on(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(DEPLOYMENTS, deployment(0))

    def cut(handler: Handler) -> None:
        handler.stream_start()
        handler.wfile.write(b'ff\r\n{"type": "MODIF')
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    api.faults.append(times(2, cut, match="deployments?watch=1"))
    later(2.0, lambda: api.put(DEPLOYMENTS, deployment(1)))
    wait(cluster, [RolloutReady("Deployment", "w")], timeout=15)
    assert len([r for r in api.requests if "deployments?watch=1" in r]) >= 3


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CreateContainerConfigError", "CrashLoopBackOff"])
def test_what_cannot_heal_ends_the_wait_early(api: FakeApiServer, cluster: Cluster, reason: str) -> None:
    api.put(DEPLOYMENTS, deployment(0))
    api.put(SETS, replica_set("rs1", 1))
    api.put(PODS, pod("w-1", **waiting(reason, "the kubelet's words")))
    start = time.monotonic()
    with pytest.raises(WaitError, match=reason) as err:
        wait(cluster, [RolloutReady("Deployment", "w")], timeout=60)
    assert time.monotonic() - start < at_most(20)
    assert "w-1" in err.value.target
    if reason != "CrashLoopBackOff":
        assert "the kubelet's words" in err.value.words


def test_a_pod_of_the_old_revision_is_not_blamed(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(DEPLOYMENTS, deployment(0))
    api.put(SETS, replica_set("rs1", 1))
    api.put(SETS, replica_set("rs2", 2))
    api.put(PODS, pod("old", owner="rs1", **waiting("CrashLoopBackOff")))
    later(5, lambda: api.put(DEPLOYMENTS, deployment(1)))
    start = time.monotonic()
    wait(cluster, [RolloutReady("Deployment", "w")], timeout=20)
    assert time.monotonic() - start > 4, "the wait went on in spite of the old pod"


def test_trouble_that_heals_within_its_grace_is_no_error(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(DEPLOYMENTS, deployment(0))
    api.put(SETS, replica_set("rs1", 1))
    api.put(PODS, pod("w-1", **waiting("ErrImagePull", "connection reset")))
    later(2, lambda: api.put(PODS, pod("w-1", phase="Running")))
    later(3, lambda: api.put(DEPLOYMENTS, deployment(1)))
    start = time.monotonic()
    wait(cluster, [RolloutReady("Deployment", "w")], timeout=20)
    assert time.monotonic() - start > 2


def test_timeout_tells_what_was_missing(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(PODS, pod("p", phase="Running"))
    with pytest.raises(WaitError, match="timed out after 1 s") as err:
        wait(cluster, [Gone("sdsk8s/component=a")], timeout=1)
    assert "1 pod left: p" in err.value.words


def test_gone_is_reached_when_the_last_pod_goes(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(PODS, pod("p", phase="Running"))
    later(0.5, lambda: api.drop(PODS, "p"))
    start = time.monotonic()
    wait(cluster, [Gone("sdsk8s/component=a")], timeout=10)
    assert api.objects[PODS] == {} and time.monotonic() - start < at_most(3)


# -- the lock --------------------------------------------------------------------------------------------------


def test_lock_keeps_the_second_out_and_names_the_first(cluster: Cluster) -> None:
    with Lock(cluster, "site", "ann@host", "reset mozart", run_id="r1").held():
        with pytest.raises(RefusedError, match="reset mozart") as err:
            Lock(cluster, "site", "bob@host", "stop all", run_id="r2").acquire()
        assert "ann@host r1" in err.value.words and "--lock-wait" in err.value.next
    Lock(cluster, "site", "bob@host", "stop all", run_id="r2").acquire()


def test_lock_of_a_dead_run_expires_and_is_taken_over_aloud(cluster: Cluster) -> None:
    Lock(cluster, "site", "ann@host", "reset mozart", run_id="r1", ttl=1).acquire()
    said: list[str] = []
    Lock(cluster, "site", "bob@host", "stop all", run_id="r2").acquire(wait=5, say=said.append)
    assert any("taking over" in s and "reset mozart" in s for s in said)


def test_of_many_at_once_exactly_one_gets_the_lock(cluster: Cluster) -> None:
    won: list[int] = []

    def attempt(n: int) -> None:
        try:
            Lock(cluster, "site", f"op{n}", "stop", run_id=str(n)).acquire()
            won.append(n)
        except RefusedError:
            pass

    threads = [threading.Thread(target=attempt, args=(n,)) for n in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(won) == 1


def test_a_lock_tells_whether_another_run_was_in_between(cluster: Cluster) -> None:
    assert Lock(cluster, "site", "", "").version() == ""  # never taken
    ours = Lock(cluster, "site", "ann", "update", run_id="r1")
    with ours.held():
        assert ours.found == ""
        assert Lock(cluster, "site", "", "").version() == ""  # held: its holder may change things
    before = Lock(cluster, "site", "", "").version()
    with ours.held():
        assert ours.found == before != ""
    before = Lock(cluster, "site", "", "").version()
    with Lock(cluster, "site", "bob", "stop", run_id="r2").held():
        pass
    with ours.held():
        assert ours.found not in ("", before)


def test_lock_is_renewed_while_it_is_held(api: FakeApiServer, cluster: Cluster) -> None:
    with Lock(cluster, "site", "ann", "update", run_id="r1", ttl=2).held():
        time.sleep(3)
        with pytest.raises(RefusedError):
            Lock(cluster, "site", "bob", "stop", run_id="r2").acquire()
    assert api.objects[LEASES]["site"]["spec"]["holderIdentity"] is None
