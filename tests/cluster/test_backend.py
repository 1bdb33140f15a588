"""The Kubernetes back end on a real API server: what a fake would only repeat after us."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Lab, at_most, eventually

from sdsk8s.backends.kubernetes.access import NEEDS, review, role
from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.exec import exec_
from sdsk8s.backends.kubernetes.failures import ApiError
from sdsk8s.backends.kubernetes.kubeconfig import connect
from sdsk8s.backends.kubernetes.leases import Lock
from sdsk8s.backends.kubernetes.snapshot import KINDS, snapshot
from sdsk8s.backends.kubernetes.wait import wait
from sdsk8s.errors import ClusterError, RefusedError, WaitError
from sdsk8s.model import kube
from sdsk8s.model.goals import Gone, JobDone, RolloutReady

pytestmark = pytest.mark.lab
OURS = {"app.kubernetes.io/part-of": "sds"}
ASIDE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@pytest.fixture
def cluster(lab: Lab, namespace: str) -> Cluster:
    return connect(kubeconfig=lab.kubeconfig, namespace=namespace)


@pytest.fixture
def make(lab: Lab) -> Callable[..., dict[str, Any]]:
    """make(kind, name, script, **pod spec): a workload whose container runs a shell script."""

    def build(kind: str, name: str, script: str = "sleep inf", replicas: int = 1, **pod: Any) -> dict[str, Any]:
        labels = {**OURS, "app": name}
        main = {"name": "main", "image": lab.base_image, "command": ["sh", "-c", script]}
        main |= pod.pop("container", {})
        template: dict[str, Any] = {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [main], **pod},
        }
        spec: dict[str, Any] = {"template": template}
        if kind == "Job":
            template["spec"].setdefault("restartPolicy", "Never")
            spec["backoffLimit"] = 1
        else:
            spec |= {"replicas": replicas, "selector": {"matchLabels": {"app": name}}}
        if kind == "StatefulSet":
            spec["serviceName"] = name
        version = "batch/v1" if kind == "Job" else "apps/v1"
        return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": OURS}, "spec": spec}

    return build


def kubectl_env(lab: Lab) -> dict[str, str]:
    """Without HOME kubectl keeps its cache in the current folder."""
    return {**os.environ, "KUBECONFIG": lab.kubeconfig}


def ready(cluster: Cluster, kind: str, name: str, timeout: float = 90) -> None:
    wait(cluster, [RolloutReady(kind, name)], timeout)


def pod_of(cluster: Cluster, name: str) -> str:
    pods = [p for p in cluster.list("Pod", f"app={name}") if not p["metadata"].get("deletionTimestamp")]
    return str(pods[0]["metadata"]["name"])


def refusal(cluster: Cluster, goal: Any, within: float) -> WaitError:
    """The error that ends a wait early."""
    start = time.monotonic()
    with pytest.raises(WaitError) as err:
        wait(cluster, [goal], 120)
    assert time.monotonic() - start < at_most(within), err.value
    return err.value


# -- objects ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_apply_scale_wait_delete(cluster: Cluster, make: Any, kind: str) -> None:
    obj = make(kind, "w", "echo hello; sleep inf")
    assert cluster.apply(obj, dry_run=True) and cluster.get(kind, "w") is None
    cluster.apply(obj)
    seen: list[str] = []
    wait(cluster, [RolloutReady(kind, "w")], 90, seen.append)
    assert seen and seen[0].startswith(f"{kind}/w ")
    assert list(cluster.logs(pod_of(cluster, "w"), "main")) == ["hello"]

    scaled = cluster.scale(kind, "w", 0, {"sdsk8s/replicas": "1"})
    assert scaled["spec"]["replicas"] == 0 and scaled["metadata"]["annotations"]["sdsk8s/replicas"] == "1"
    wait(cluster, [Gone("app=w"), RolloutReady(kind, "w")], 60)
    kept = cluster.apply({**obj, "spec": {k: v for k, v in obj["spec"].items() if k != "replicas"}})
    assert kept["spec"]["replicas"] == 0 and kept["metadata"]["annotations"]["sdsk8s/replicas"] == "1"

    cluster.delete(kind, "w")
    cluster.delete(kind, "w")
    wait(cluster, [Gone(kind=kind, name="w")], 30)
    with pytest.raises(ApiError) as err:
        cluster.delete(kind, "w", missing_ok=False)
    assert err.value.code == 404


def test_fields_of_others_are_named_and_kept_until_forced(cluster: Cluster, lab: Lab, make: Any) -> None:
    def apply(tag: str, **kw: Any) -> Any:
        return cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": OURS},
                              "data": {"a": tag, "b": "1"}}, **kw)  # fmt: skip

    def kubectl(*argv: str) -> None:
        subprocess.run([f"{lab.tools}/kubectl", "-n", cluster.namespace, *argv], env=kubectl_env(lab), check=True)

    apply("ours")
    kubectl("patch", "configmap", "c", "--type=merge", "-p", '{"data": {"a": "theirs", "x": "theirs"}}')
    assert "kubectl-patch" in {f["manager"] for f in (cluster.get("ConfigMap", "c") or {})["metadata"]["managedFields"]}
    with pytest.raises(ApiError, match="owned by kubectl-patch") as err:
        apply("ours")
    assert [(c.field, c.manager) for c in err.value.conflicts] == [(".data.a", "kubectl-patch")]
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "ours"}}
    assert [c.field for c in cluster.conflicts(wanted)] == [".data.a"]
    assert apply("ours", force=True)["data"] == {"a": "ours", "b": "1", "x": "theirs"}
    assert cluster.conflicts(wanted) == ()


@pytest.mark.parametrize("writers", [0, 2])
def test_what_kubectl_apply_has_set_goes_away_when_the_manifest_drops_it(
    cluster: Cluster, lab: Lab, make: Any, monkeypatch: pytest.MonkeyPatch, writers: int
) -> None:
    """writers: how often somebody else changes the object just before its ownership is written."""
    obj = make("Deployment", "w", container={"env": [{"name": "OLD", "value": "1"}, {"name": "KEPT", "value": "1"}]})
    command = [f"{lab.tools}/kubectl", "-n", cluster.namespace, "apply", "-f", "-"]
    subprocess.run(command, input=json.dumps(obj), text=True, env=kubectl_env(lab), check=True)
    own, tries = Cluster._own, []

    def late(self: Cluster, *args: Any) -> None:
        tries.append(1)
        if len(tries) <= writers:
            self.patch("Deployment", "w", {"metadata": {"annotations": {"somebody": str(len(tries))}}})
        own(self, *args)

    monkeypatch.setattr(Cluster, "_own", late)
    newer = make("Deployment", "w", container={"env": [{"name": "KEPT", "value": "2"}]})
    done = cluster.apply(newer, force=True)
    assert len(tries) >= writers + 1
    assert done["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "KEPT", "value": "2"}]
    owners = {(e["manager"], e["operation"]) for e in done["metadata"]["managedFields"] if not e.get("subresource")}
    assert ("kubectl-client-side-apply", "Update") not in owners
    assert "kubectl.kubernetes.io/last-applied-configuration" not in (done["metadata"].get("annotations") or {})


def test_a_typing_error_in_a_manifest_is_refused(cluster: Cluster, make: Any) -> None:
    obj = make("Deployment", "w")
    obj["spec"]["replica"] = 1
    with pytest.raises(ApiError, match="rejected the object as invalid") as err:
        cluster.apply(obj)
    assert "replica" in err.value.words and cluster.get("Deployment", "w") is None


def test_kinds_that_are_in_no_table_are_found(cluster: Cluster) -> None:
    runtime = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "t"},
               "template": {"spec": {"containers": [{"name": "a", "image": "a"}]}}}  # fmt: skip
    cluster.apply(runtime)
    assert [o["metadata"]["name"] for o in cluster.list("PodTemplate")] == ["t"]
    assert cluster.get("PodTemplate", "t")
    with pytest.raises(ClusterError, match='"Deploymnt"') as err:
        cluster.get("Deploymnt", "x")
    assert 'did you mean "Deployment"' in err.value.words


def test_snapshot_holds_what_is_ours_and_no_secret_values(cluster: Cluster, make: Any) -> None:
    assert snapshot(cluster.within("no-such-namespace"))["Pod"] == {}
    assert "Namespace" not in snapshot(cluster.within("no-such-namespace"))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": OURS},
              "stringData": {"password": "hunter2hunter2"}}  # fmt: skip
    cluster.apply(secret)
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "not-ours"}, "data": {}})
    cluster.apply(make("Deployment", "w"))
    found = snapshot(cluster)
    assert set(found["Secret"]) == {"s"} and "data" not in found["Secret"]["s"]
    assert found["Secret"]["s"]["kind"] == "Secret" and found["Secret"]["s"]["apiVersion"] == "v1"
    assert set(found["Deployment"]) == {"w"} and found["ConfigMap"] == {}
    assert "hunter2" not in repr(found) and "aHVudGVy" not in repr(found)


# -- waits -----------------------------------------------------------------------------------------------------


def test_image_that_is_not_there(cluster: Cluster, lab: Lab, make: Any) -> None:
    cluster.apply(make("Deployment", "w", container={"image": f"{lab.registry}/no/such:1"}))
    err = refusal(cluster, RolloutReady("Deployment", "w"), 20)
    assert "Pull" in err.what and "not found" in err.words and "pod w-" in err.target


def test_crash_with_the_log_of_the_container_before(cluster: Cluster, make: Any) -> None:
    cluster.apply(make("StatefulSet", "w", "echo cannot open the ark; exit 3"))
    err = refusal(cluster, RolloutReady("StatefulSet", "w"), 90)
    assert "exit code 3" in err.words and "cannot open the ark" in err.words and "w-0" in err.target


def test_init_step_that_fails(cluster: Cluster, lab: Lab, make: Any) -> None:
    step = {"name": "prepare", "image": lab.base_image, "command": ["sh", "-c", "echo no schema; exit 4"]}
    cluster.apply(make("Deployment", "w", initContainers=[step]))
    err = refusal(cluster, RolloutReady("Deployment", "w"), 20)
    assert "init container prepare" in err.target and "exit code 4" in err.words and "no schema" in err.words


def test_configuration_that_is_not_there(cluster: Cluster, make: Any) -> None:
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "nowhere", "key": "a"}}}]
    cluster.apply(make("Deployment", "w", container={"env": env}))
    assert 'secret "nowhere" not found' in refusal(cluster, RolloutReady("Deployment", "w"), 20).words
    volume = [{"name": "etc", "configMap": {"name": "nowhere"}}]
    cluster.apply(make("Deployment", "v", volumes=volume, container={
        "volumeMounts": [{"name": "etc", "mountPath": "/etc/x"}]}))  # fmt: skip
    assert 'configmap "nowhere" not found' in refusal(cluster, RolloutReady("Deployment", "v"), 30).words


def test_no_node_is_big_enough(cluster: Cluster, make: Any) -> None:
    cluster.apply(make("Deployment", "w", container={"resources": {"requests": {"cpu": "999"}}}))
    err = refusal(cluster, RolloutReady("Deployment", "w"), 20)
    assert "Unschedulable" in err.what and "Insufficient cpu" in err.words


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job"])
def test_quota(cluster: Cluster, make: Any, kind: str) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    cluster.apply(quota)
    eventually(lambda: (cluster.get("ResourceQuota", "none") or {}).get("status", {}).get("hard"))
    cluster.apply(make(kind, "w"))
    err = refusal(cluster, JobDone("w") if kind == "Job" else RolloutReady(kind, "w"), 20)
    assert "exceeded quota: none" in err.words and "FailedCreate" in err.what


def test_pod_security(cluster: Cluster, make: Any) -> None:
    cluster.patch("Namespace", cluster.namespace,
                  {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})  # fmt: skip
    cluster.apply(make("StatefulSet", "w"))
    assert "violates PodSecurity" in refusal(cluster, RolloutReady("StatefulSet", "w"), 20).words


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_repaired_manifest_is_not_blamed_for_what_the_one_before_was_refused(
    cluster: Cluster, make: Any, kind: str
) -> None:
    """A Deployment keeps the failure of its old ReplicaSet until the new pod is ready; the old event is still young."""
    baseline = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    cluster.patch("Namespace", cluster.namespace, baseline)
    cluster.apply(make(kind, "w", hostNetwork=True))
    assert "violates PodSecurity" in refusal(cluster, RolloutReady(kind, "w"), 20).words
    probe = {"readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1}}
    cluster.apply(make(kind, "w", "sleep 12; touch /tmp/ready; sleep inf", hostNetwork=False, container=probe))
    if kind == "Deployment":  # what this is about is really there
        assert eventually(lambda: kube.holds(cluster.get(kind, "w") or {}, "ReplicaFailure"), timeout=10)
    ready(cluster, kind, "w")


def test_job_that_fails_and_one_that_ends(cluster: Cluster, make: Any) -> None:
    cluster.apply(make("Job", "good", "echo done"))
    wait(cluster, [JobDone("good")], 60)
    cluster.apply(make("Job", "bad", "echo the index is missing; exit 5"))
    err = refusal(cluster, JobDone("bad"), 60)
    assert "exit code 5" in err.words and "the index is missing" in err.words


def test_job_that_crashes_twice_and_then_succeeds(cluster: Cluster, make: Any) -> None:
    """A crash loop ends no wait for a Job: it counts its attempts itself."""
    script = "n=$(cat /keep/n 2>/dev/null || echo 0); echo $((n+1)) >/keep/n; test $n -ge 2"
    keep = {"volumeMounts": [{"name": "keep", "mountPath": "/keep"}]}
    obj = make("Job", "thrice", script, restartPolicy="OnFailure", container=keep,
               volumes=[{"name": "keep", "emptyDir": {}}])  # fmt: skip
    obj["spec"]["backoffLimit"] = 6
    cluster.apply(obj)
    seen: list[str] = []
    wait(cluster, [JobDone("thrice")], 90, seen.append)
    assert any("CrashLoopBackOff" in text for text in seen)


def test_slow_start_is_awaited_and_an_old_failure_is_not_blamed(cluster: Cluster, make: Any) -> None:
    cluster.apply(make("Deployment", "w", "exit 1"))
    refusal(cluster, RolloutReady("Deployment", "w"), 40)
    probe = {"readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1}}
    cluster.apply(make("Deployment", "w", "sleep 12; touch /tmp/ready; sleep inf", container=probe))
    ready(cluster, "Deployment", "w")


def test_a_stateful_set_that_is_stuck_on_a_bad_revision(cluster: Cluster, lab: Lab, make: Any) -> None:
    cluster.apply(make("StatefulSet", "w", container={"image": f"{lab.registry}/no/such:1"}))
    refusal(cluster, RolloutReady("StatefulSet", "w"), 20)
    cluster.apply(make("StatefulSet", "w"))
    err = refusal(cluster, RolloutReady("StatefulSet", "w"), 30)
    assert "stuck revision" in err.what and "w-0" in err.words
    cluster.delete("Pod", "w-0")
    ready(cluster, "StatefulSet", "w")


def test_timeout_says_what_is_missing(cluster: Cluster, make: Any) -> None:
    probe = {"readinessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 1}}
    cluster.apply(make("Deployment", "w", container=probe))
    with pytest.raises(WaitError, match="timed out after 8 s") as err:
        wait(cluster, [RolloutReady("Deployment", "w")], 8)
    assert "0/1 ready" in err.value.words


# -- commands in containers ------------------------------------------------------------------------------------


@pytest.fixture
def shell(cluster: Cluster, make: Any) -> str:
    cluster.apply(make("Deployment", "sh"))
    ready(cluster, "Deployment", "sh")
    return pod_of(cluster, "sh")


def test_exec(cluster: Cluster, shell: str) -> None:
    done = exec_(cluster, shell, "main", ["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (done.code, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    assert exec_(cluster, shell, "main", ["printf", "%s|", "a b", "$HOME", "'"]).stdout == b"a b|$HOME|'|"
    data = bytes(range(256)) * 8000
    assert exec_(cluster, shell, "main", ["cat"], data).stdout == data
    assert exec_(cluster, shell, "main", ["sha256sum"], b"").code == 0
    big = exec_(cluster, shell, "main", ["head", "-c", "9000000", "/dev/zero"])
    assert big.code == 0 and big.cut and len(big.stdout) == 4 * 1024 * 1024


def test_exec_that_cannot_be(cluster: Cluster, shell: str) -> None:
    with pytest.raises(ClusterError, match="did not end within 1 s"):
        exec_(cluster, shell, "main", ["sleep", "60"], timeout=1)
    with pytest.raises(ClusterError) as err:
        exec_(cluster, shell, "main", ["no-such-command"])
    assert "no-such-command" in err.value.words
    with pytest.raises(ClusterError, match="could not be started") as err:
        exec_(cluster, "no-such-pod", "main", ["true"])
    assert '"no-such-pod" not found' in err.value.words
    with pytest.raises(ClusterError) as err:
        exec_(cluster, shell, "nowhere", ["true"])
    assert "nowhere" in err.value.words


def test_pod_deleted_under_a_command(cluster: Cluster, shell: str) -> None:
    threading.Timer(1.5, lambda: cluster.request(
        "DELETE", cluster.path("Pod", shell), body={"gracePeriodSeconds": 0})).start()  # fmt: skip
    start = time.monotonic()
    try:
        done = exec_(cluster, shell, "main", ["sleep", "60"], timeout=50)
        assert done.code != 0
    except ClusterError as err:
        assert "was deleted" in err.what or "cut" in err.what or err.words
    assert time.monotonic() - start < at_most(40)


def test_service_through_the_api_server(cluster: Cluster, make: Any) -> None:
    page = "perl -MIO::Socket -e '$s=IO::Socket::INET->new(LocalPort=>8080,Listen=>5,Reuse=>1);" \
        'while($c=$s->accept){<$c>;print $c "HTTP/1.0 200 OK\\r\\n\\r\\nhi";close $c}\''  # fmt: skip
    cluster.apply(make("Deployment", "web", page))
    port = {"port": 80, "targetPort": 8080}
    cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                   "spec": {"selector": {"app": "web"}, "ports": [port]}})  # fmt: skip
    ready(cluster, "Deployment", "web")
    assert eventually(lambda: cluster.proxy_get("web", 80, "/") == (200, b"hi"), timeout=20)
    assert cluster.proxy_get("nothing", 80, "/")[0] == 404


# -- lock and permissions --------------------------------------------------------------------------------------


def test_lock_on_a_real_lease(cluster: Cluster) -> None:
    with Lock(cluster, "site", "ann@a", "reset", run_id="r1", ttl=3).held():
        time.sleep(4.5)
        with pytest.raises(RefusedError, match="reset") as err:
            Lock(cluster, "site", "bob@b", "stop", run_id="r2").acquire()
        assert "ann@a r1" in err.value.words and "lock release" in err.value.next
    assert Lock(cluster, "site", "bob@b", "stop").status() is None
    Lock(cluster, "site", "cat@c", "start", run_id="r3", ttl=1).acquire()
    said: list[str] = []
    Lock(cluster, "site", "bob@b", "stop", run_id="r2").acquire(wait=6, say=said.append)
    assert any("taking over" in s and "start by cat@c r3" in s for s in said)


@pytest.mark.parametrize("verb", sorted(NEEDS))
def test_the_role_that_doctor_prints_is_what_the_verb_needs(cluster: Cluster, lab: Lab, verb: str) -> None:
    """An account with exactly that Role lacks nothing, and without it lacks all."""
    space = cluster.namespace
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "op"}}
    cluster.apply(account)
    token = cluster.request(
        "POST", cluster.path("ServiceAccount", "op", "token"),
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )["status"]["token"]  # fmt: skip
    limited = connect(kubeconfig=lab.kubeconfig, namespace=space)
    limited.connection.configuration.cert_file = limited.connection.configuration.key_file = None
    limited.connection.configuration.api_key["BearerToken"] = f"Bearer {token}"
    limited = Cluster(limited.connection.configuration, space)
    assert review(limited, NEEDS[verb]) == NEEDS[verb]
    with pytest.raises(ApiError) as err:
        snapshot(limited, ("Pod",))
    assert err.value.code == 403 and f"system:serviceaccount:{space}:op" in err.value.words
    cluster.apply(role(space, verb))
    cluster.apply({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "op"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": f"sds-{verb}"},
        "subjects": [{"kind": "ServiceAccount", "name": "op", "namespace": space}],
    })  # fmt: skip
    eventually(lambda: not review(limited, NEEDS[verb]), timeout=20)
    snapshot(limited, ("Deployment", "StatefulSet", "Pod") if verb in ("status", "logs") else KINDS)
