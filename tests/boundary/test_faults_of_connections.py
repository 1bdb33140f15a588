"""Credentials that expire, servers that restart, answers that are none, clocks that differ."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import at_most
from fake_apiserver import FakeApiServer, Handler, times
from kubernetes import client

from sdsk8s.backends.kubernetes.access import review
from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.copy.transfer import CopySource, PodContainer, Settings, upload
from sdsk8s.backends.kubernetes.exec import exec_
from sdsk8s.backends.kubernetes.failures import ApiError
from sdsk8s.backends.kubernetes.informer import Informer
from sdsk8s.backends.kubernetes.leases import Lock
from sdsk8s.backends.kubernetes.wait import wait
from sdsk8s.errors import ClusterError, RefusedError, StepError, WaitError
from sdsk8s.model.goals import RolloutReady

PODS = "/api/v1/namespaces/sds/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/sds/deployments"
SETS = "/apis/apps/v1/namespaces/sds/replicasets"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/sds/leases"
EVENTS = "/api/v1/namespaces/sds/events"
COLLECTIONS = (PODS, DEPLOYMENTS, SETS, LEASES, EVENTS)
SUCCESS = json.dumps({"status": "Success"}).encode()


@pytest.fixture
def api() -> Iterator[FakeApiServer]:
    server = FakeApiServer()
    server.objects.update({c: {} for c in COLLECTIONS})
    yield server
    server.close()


def configuration(url: str, token: str = "") -> Any:
    made = client.Configuration()
    made.host = url
    made.retries = False
    if token:
        made.api_key["BearerToken"] = f"Bearer {token}"
    return made


@pytest.fixture
def cluster(api: FakeApiServer) -> Cluster:
    return Cluster(configuration(api.url), "sds")


def deployment(ready: int) -> dict[str, Any]:
    counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": ready, "availableReplicas": ready}
    return {
        "metadata": {"name": "w", "uid": "d1", "generation": 1},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, **counts},
    }


def later(seconds: float, act: Any) -> None:
    threading.Timer(seconds, act).start()


# -- credentials -----------------------------------------------------------------------------------------------


def only(token: str) -> Any:
    """A fault: refuse every other token."""

    def fault(handler: Handler) -> bool:
        if handler.headers.get("Authorization") == f"Bearer {token}":
            return False
        handler.status(401, "Unauthorized", "Unauthorized")
        return True

    return fault


def test_credentials_are_read_again_once_when_they_expire(api: FakeApiServer) -> None:
    loads: list[int] = []

    def load() -> Any:
        loads.append(1)
        return configuration(api.url, "fresh")

    cluster = Cluster(configuration(api.url, "stale"), "sds", load)
    api.faults.append(only("fresh"))
    assert cluster.list("Pod") == [] and loads == [1]
    assert list(cluster.watch("Pod", "", "1", seconds=1)) == [] and loads == [1]
    api.faults[0] = only("fresher still")
    with pytest.raises(ApiError, match="rejected the credentials"):
        cluster.list("Pod")
    assert loads == [1, 1]


def test_many_threads_share_one_renewal(api: FakeApiServer) -> None:
    loads: list[int] = []

    def load() -> Any:
        loads.append(1)
        return configuration(api.url, "fresh")

    cluster = Cluster(configuration(api.url, "stale"), "sds", load)
    api.faults.append(only("fresh"))
    failures: list[Exception] = []

    def one() -> None:
        try:
            cluster.list("Pod")
        except Exception as err:
            failures.append(err)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == [] and loads == [1]


def test_a_context_that_was_switched_in_the_meantime_is_not_followed(api: FakeApiServer) -> None:
    other = FakeApiServer()
    other.objects[PODS] = {}
    try:
        cluster = Cluster(configuration(api.url, "stale"), "sds", lambda: configuration(other.url, "x"))
        api.faults.append(only("fresh"))
        with pytest.raises(ApiError, match="credentials"):
            cluster.list("Pod")
        assert other.requests == [] and cluster.host == api.url
    finally:
        other.close()


def test_words_of_a_plugin_that_fails_are_shown_with_the_refusal(api: FakeApiServer) -> None:
    def load() -> Any:
        raise ClusterError("the credentials plug-in failed", words="session expired")

    cluster = Cluster(configuration(api.url, "stale"), "sds", load)
    api.faults.append(only("fresh"))
    with pytest.raises(ApiError) as err:
        cluster.list("Pod")
    assert "session expired" in err.value.words


# -- answers ---------------------------------------------------------------------------------------------------


def test_a_server_that_restarts_is_waited_for_even_by_a_create(api: FakeApiServer, cluster: Cluster) -> None:
    cluster.list("Pod")
    port = api.http.server_port
    api.close()
    cluster.connection._client.pool_manager.clear()
    again: list[FakeApiServer] = []
    later(2, lambda: again.append(FakeApiServer(port)))
    try:
        cluster.create({"kind": "Lease", "metadata": {"name": "x"}})
        assert again[0].objects[LEASES]["x"]
    finally:
        again[0].close()


def test_a_wrong_address_is_told_soon() -> None:
    start = time.monotonic()
    with pytest.raises(ClusterError, match="does not answer") as err:
        Cluster(configuration("http://127.0.0.1:1"), "sds").list("Pod")
    assert time.monotonic() - start < at_most(7) and "Connection refused" in err.value.words


def test_a_server_that_is_no_kubernetes(api: FakeApiServer, cluster: Cluster) -> None:
    api.faults.append(lambda h: h.answer(404, b"<html>nginx</html>") or True)
    for read in (lambda: cluster.get("Pod", "p"), lambda: cluster.list("Pod")):
        with pytest.raises(ApiError, match="not a Kubernetes API server") as err:
            read()
        assert "nginx" in err.value.words
    api.faults[0] = lambda h: h.answer(200, b"<html>login</html>") or True
    with pytest.raises(ApiError, match="not a JSON object") as err:
        cluster.list("Pod")
    assert "login" in err.value.words


def test_a_login_page_is_not_followed(api: FakeApiServer, cluster: Cluster) -> None:
    api.faults.append(lambda h: h.answer(302, b"", Location="http://127.0.0.1:1/login") or True)
    with pytest.raises(ApiError, match="answered 302"):
        cluster.list("Pod")


def test_retry_after_beyond_our_patience_is_an_error_at_once(api: FakeApiServer, cluster: Cluster) -> None:
    api.faults.append(times(9, lambda h: h.status(429, "TooManyRequests", "later", Retry_After="300")))
    start = time.monotonic()
    with pytest.raises(ApiError, match="rate limited"):
        cluster.list("Pod")
    assert time.monotonic() - start < at_most(2)


def test_a_retry_after_that_is_a_date_counts_as_none(api: FakeApiServer, cluster: Cluster) -> None:
    api.faults.append(
        times(1, lambda h: h.status(429, "TooManyRequests", "x", Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"))
    )
    assert cluster.list("Pod") == []


def test_logs_and_watches_are_begun_again_too(api: FakeApiServer, cluster: Cluster) -> None:
    api.faults.append(times(2, lambda h: h.status(503, "ServiceUnavailable", "starting"), match="/log"))
    api.faults.append(lambda h: "/log" in h.path and (h.answer(200, b"one\ntwo") or True))
    assert list(cluster.logs("p", "main")) == ["one", "two"]


def test_conflicts_of_an_apply_are_read_field_by_field(api: FakeApiServer, cluster: Cluster) -> None:
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "helm" using apps/v1', "field": ".spec.replicas"},
        {"reason": "FieldManagerConflict", "message": 'conflict with "hpa"', "field": ".spec.paused"},
    ]
    body = {"kind": "Status", "reason": "Conflict", "message": "Apply failed", "details": {"causes": causes}}
    api.faults.append(lambda h: h.command == "PATCH" and (h.answer(409, body) or True))
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}}
    with pytest.raises(ApiError, match="2 fields of this object are owned by helm, hpa") as err:
        cluster.apply(obj)
    assert [(c.field, c.manager) for c in err.value.conflicts] == [(".spec.replicas", "helm"), (".spec.paused", "hpa")]
    assert ".spec.replicas" in err.value.words and err.value.next
    assert cluster.conflicts(obj) == err.value.conflicts


def test_permissions_are_asked_one_by_one(api: FakeApiServer, cluster: Cluster) -> None:
    api.denied = {"patch"}
    rules = [("get", "", "pods"), ("patch", "apps", "deployments"), ("create", "", "pods/exec")]
    assert review(cluster, rules) == [("patch", "apps", "deployments")]
    assert len([r for r in api.requests if "selfsubjectaccessreviews" in r]) == 3


# -- watches ---------------------------------------------------------------------------------------------------


def test_half_an_event_at_the_end_of_a_stream_is_dropped(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(DEPLOYMENTS, deployment(0))

    def half(handler: Handler) -> None:
        handler.stream_start()
        data = b'{"type": "MODIFIED", "object": {"metad'
        handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        handler.stream_end()

    api.faults.append(times(2, half, match="deployments?watch=1"))
    later(1.5, lambda: api.put(DEPLOYMENTS, deployment(1)))
    wait(cluster, [RolloutReady("Deployment", "w")], timeout=10)


def test_a_watch_that_is_no_json_ends_the_wait_in_our_words(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(DEPLOYMENTS, deployment(0))

    def page(handler: Handler) -> bool:
        if "watch=1" not in handler.path:
            return False
        handler.answer(200, b"<html>\nproxy error\n</html>\n")
        return True

    api.faults.append(page)
    with pytest.raises(ClusterError, match="is not valid JSON") as err:
        wait(cluster, [RolloutReady("Deployment", "w")], timeout=30, informer=Informer(cluster, "", patience=2))
    assert "<html>" in err.value.words


def test_an_event_of_an_unknown_shape_is_an_error_and_not_silence(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(DEPLOYMENTS, deployment(0))

    def odd(handler: Handler) -> None:
        handler.stream_start()
        handler.chunk({"type": "MODIFIED", "object": {"metadata": {}}})
        handler.stream_end()

    api.faults.append(times(1, odd, match="deployments?watch=1"))
    with pytest.raises(ClusterError, match="following Deployment failed"):
        wait(cluster, [RolloutReady("Deployment", "w")], timeout=10)


def test_waits_work_without_permission_for_events(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(DEPLOYMENTS, deployment(0))
    api.faults.append(times(99, lambda h: h.status(403, "Forbidden", "no events for you"), match=EVENTS))
    later(0.5, lambda: api.put(DEPLOYMENTS, deployment(1)))
    wait(cluster, [RolloutReady("Deployment", "w")], timeout=10)
    assert any("events" in r for r in api.requests), "they were asked for, and refused"


def test_waits_survive_a_restart_of_the_server(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(DEPLOYMENTS, deployment(0))
    port, objects = api.http.server_port, api.objects
    again: list[FakeApiServer] = []

    def down() -> None:
        api.faults.append(lambda h: h.cut() or True)
        api.close()

    def up() -> None:
        server = FakeApiServer(port)
        server.objects = objects
        again.append(server)
        server.put(DEPLOYMENTS, deployment(1))

    later(0.5, down)
    later(3, up)
    wait(cluster, [RolloutReady("Deployment", "w")], timeout=40)
    assert any("deployments" in r for r in again[0].requests), "the server that came back was asked"
    again[0].close()


def test_a_server_that_stays_away_ends_the_wait(
    api: FakeApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdsk8s.backends.kubernetes.connection.RETRY_SECONDS", 1.0)
    api.put(DEPLOYMENTS, deployment(0))
    later(0.5, lambda: api.faults.append(lambda h: h.status(503, "ServiceUnavailable", "etcd is gone") or True))
    with pytest.raises(ClusterError) as err:
        wait(cluster, [RolloutReady("Deployment", "w")], timeout=60, informer=Informer(cluster, "", patience=3))
    assert not isinstance(err.value, WaitError) and "etcd is gone" in err.value.words


# -- the lock --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skew", [3600.0, -3600.0])
def test_a_living_run_is_not_taken_for_dead_when_clocks_differ(
    api: FakeApiServer, cluster: Cluster, skew: float
) -> None:
    api.skew = skew
    with Lock(cluster, "site", "ann", "reset", run_id="r1").held(), pytest.raises(RefusedError) as err:
        Lock(Cluster(configuration(api.url), "sds"), "site", "bob", "stop", run_id="r2").acquire()
    assert "renewed 0 s ago" in err.value.words or "renewed 1 s ago" in err.value.words


def test_a_lock_that_is_taken_away_is_told(api: FakeApiServer, cluster: Cluster) -> None:
    told: list[str] = []
    lock = Lock(cluster, "site", "ann", "reset", run_id="r1", ttl=1, on_lost=told.append)
    with lock.held():
        Lock(cluster, "site", "", "").release(force=True)
        Lock(cluster, "site", "bob", "stop", run_id="r2").acquire()
        time.sleep(1.2)
    assert told == ["taken over by bob r2: stop"] and lock.lost == told[0]
    assert api.objects[LEASES]["site"]["spec"]["holderIdentity"] == "bob r2", "ours no more, so not ours to release"


def test_one_missed_renewal_is_not_a_lost_lock(api: FakeApiServer, cluster: Cluster) -> None:
    told: list[str] = []
    lock = Lock(cluster, "site", "ann", "reset", run_id="r1", ttl=3, on_lost=told.append)
    with lock.held():
        api.faults.append(times(1, lambda h: h.status(500, "InternalError", "hiccup"), match="PUT"))
        time.sleep(2.5)
    assert told == [] and lock.lost == ""


def test_a_lock_that_cannot_be_renewed_is_told_when_it_has_run_out(api: FakeApiServer, cluster: Cluster) -> None:
    told: list[str] = []
    with Lock(cluster, "site", "ann", "reset", run_id="r1", ttl=1, on_lost=told.append).held():
        api.faults.append(times(99, lambda h: h.status(403, "Forbidden", "revoked"), match="leases"))
        time.sleep(3)
        api.faults.clear()
    assert len(told) == 1 and "not renewed for 1 s: revoked" in told[0]


def test_an_answer_lost_on_the_way_does_not_lock_us_out(api: FakeApiServer, cluster: Cluster) -> None:
    Lock(cluster, "site", "ann", "reset", run_id="r1").acquire()
    Lock(cluster, "site", "ann", "reset", run_id="r1").acquire()


# -- commands in containers ------------------------------------------------------------------------------------


def serve(api: FakeApiServer, act: Any, protocol: str = "v5.channel.k8s.io") -> None:
    def fault(handler: Handler) -> bool:
        if "/exec" not in handler.path:
            return False
        handler.upgrade(protocol)
        act(handler)
        return True

    api.faults.append(fault)


def test_exec_reads_both_streams_and_the_exit_code(api: FakeApiServer, cluster: Cluster) -> None:
    failure = {"status": "Failure", "reason": "NonZeroExitCode",
               "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}  # fmt: skip

    def act(handler: Handler) -> None:
        handler.frame(1, b"out")
        handler.frame(2, b"err")
        handler.frame(1, b"put")
        handler.frame(3, json.dumps(failure).encode())

    serve(api, act)
    done = exec_(cluster, "p", "main", ["true"])
    assert (done.code, done.stdout, done.stderr) == (7, b"output", b"err")


def test_exec_that_is_cut_is_an_error_and_no_success(api: FakeApiServer, cluster: Cluster) -> None:
    api.put(PODS, {"metadata": {"name": "p"}})
    serve(api, lambda h: (h.frame(1, b"half"), h.cut()))
    with pytest.raises(ClusterError, match="connection to the command was cut"):
        exec_(cluster, "p", "main", ["true"])
    api.drop(PODS, "p")
    with pytest.raises(ClusterError, match="pod was deleted"):
        exec_(cluster, "p", "main", ["true"])


def test_exec_without_an_exit_code_shows_the_servers_words(api: FakeApiServer, cluster: Cluster) -> None:
    words = {"status": "Failure", "reason": "InternalError", "message": "OCI runtime exec failed"}
    serve(api, lambda h: h.frame(3, json.dumps(words).encode()))
    with pytest.raises(ClusterError, match="could not be run") as err:
        exec_(cluster, "p", "main", ["true"])
    assert err.value.words == "OCI runtime exec failed"


def test_input_is_refused_where_its_end_cannot_be_told(api: FakeApiServer, cluster: Cluster) -> None:
    serve(api, lambda h: h.frame(3, SUCCESS), protocol="v4.channel.k8s.io")
    assert exec_(cluster, "p", "main", ["true"]).code == 0
    with pytest.raises(ClusterError, match="cannot take input") as err:
        exec_(cluster, "p", "main", ["cat"], b"x")
    assert "v4.channel.k8s.io" in err.value.words


def test_exec_is_begun_again_while_the_server_starts(api: FakeApiServer, cluster: Cluster) -> None:
    api.faults.append(times(2, lambda h: h.status(503, "ServiceUnavailable", "starting"), match="/exec"))
    serve(api, lambda h: h.frame(3, SUCCESS))
    assert exec_(cluster, "p", "main", ["true"]).code == 0


def test_exec_with_expired_credentials(api: FakeApiServer) -> None:
    cluster = Cluster(configuration(api.url, "stale"), "sds", lambda: configuration(api.url, "fresh"))
    api.faults.append(only("fresh"))
    serve(api, lambda h: h.frame(3, SUCCESS))
    assert exec_(cluster, "p", "main", ["true"]).code == 0


def test_a_silent_server_does_not_hold_exec_for_ever(api: FakeApiServer, cluster: Cluster) -> None:
    serve(api, lambda h: time.sleep(4))
    start = time.monotonic()
    with pytest.raises(ClusterError, match="did not end within 1 s"):
        exec_(cluster, "p", "main", ["true"], timeout=1)
    assert time.monotonic() - start < at_most(3)


@pytest.mark.parametrize(
    ("words", "phase", "what", "says"),
    [
        ('exec: "python3": executable file not found in $PATH', "Running", "has no python3", "executable file"),
        ('container not found ("main")', "Failed", "the pod ended during", "Evicted: its volume is full"),
        ('container not found ("main")', "", "the pod was deleted", "container not found"),
    ],
)
def test_a_copy_tells_an_ended_container_from_one_without_python(
    api: FakeApiServer, tmp_path: Path, words: str, phase: str, what: str, says: str
) -> None:
    (tmp_path / "f").write_text("1")
    pod = {"metadata": {"name": "p", "uid": "u"}, "status": {"phase": phase}}
    if phase == "Failed":
        pod["status"] |= {"reason": "Evicted", "message": "its volume is full"}  # type: ignore[operator]
    if phase:
        api.put(PODS, pod)
    failure = {"status": "Failure", "reason": "InternalError", "message": words}
    serve(api, lambda h: h.frame(3, json.dumps(failure).encode()))
    source = CopySource.of(tmp_path / "f", Settings())
    with pytest.raises(StepError, match=what) as err:
        cluster, to = Cluster(configuration(api.url), "sds"), PodContainer("p", "main", "u")
        upload(cluster, to, source, "/data/f", Settings(), Silent(), lambda real: None)
    assert says in err.value.words


class Silent:
    """Progress that nobody watches."""

    def planned(self, pod: str, plan: object) -> None: ...
    def moved(self, pod: str, size: int, name: str) -> None: ...
    def note(self, pod: str, text: str) -> None: ...
