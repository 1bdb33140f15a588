"""Words and data of the Kubernetes back end that need no server: errors, owners of fields, roles, leases, kinds."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
import urllib3

from sdsk8s.backends.kubernetes.access import NEEDS, role, role_yaml
from sdsk8s.backends.kubernetes.failures import is_tls, never_sent, refused, status_of, true_code, unreachable
from sdsk8s.backends.kubernetes.kinds import KINDS, discovered, path
from sdsk8s.backends.kubernetes.leases import lock_status
from sdsk8s.backends.kubernetes.ownership import CLIENT_SIDE, adopted
from sdsk8s.backends.kubernetes.snapshot import KINDS as SNAPSHOT

# -- failures --------------------------------------------------------------------------------------------------

REFUSED = urllib3.exceptions.NewConnectionError(None, "x")  # type: ignore[arg-type]


def wrapped(cause: Exception) -> Exception:
    return urllib3.exceptions.MaxRetryError(None, "/", cause)  # type: ignore[arg-type]


def test_certificates_are_told_from_servers_that_restart() -> None:
    bad = wrapped(urllib3.exceptions.SSLError(ssl.SSLCertVerificationError(1, "CERTIFICATE_VERIFY_FAILED: expired")))
    assert is_tls(bad) and "CERTIFICATE_VERIFY_FAILED" in unreachable(bad, "h").words
    assert not is_tls(wrapped(urllib3.exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))))
    assert not is_tls(wrapped(REFUSED))


def test_what_was_never_sent_may_be_sent_again() -> None:
    assert never_sent(wrapped(REFUSED)) and never_sent(REFUSED)
    assert not never_sent(urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset")))


def test_words_of_the_system_without_the_library_around_them() -> None:
    cause = ConnectionResetError(104, "Connection reset by peer")
    assert (
        unreachable(urllib3.exceptions.ProtocolError("aborted", cause), "h").words
        == "[Errno 104] Connection reset by peer"
    )


@pytest.mark.parametrize(
    ("code", "status", "what"),
    [
        (401, {"reason": "Unauthorized"}, "rejected the credentials"),
        (403, {"reason": "Forbidden"}, "may not do that"),
        (404, {"reason": "NotFound"}, "does not exist"),
        (404, {}, "not a Kubernetes API server"),
        (409, {"reason": "Conflict"}, "was changed by someone else"),
        (409, {"reason": "AlreadyExists"}, "exists already"),
        (422, {"reason": "Invalid"}, "rejected the object as invalid"),
        (507, {}, "answered 507"),
    ],
)
def test_what_failed(code: int, status: dict[str, Any], what: str) -> None:
    assert what in refused(code, status, "here").what


def test_causes_are_added_once() -> None:
    causes = [{"field": "spec.x", "message": "is required"}, {"field": "spec.y", "message": "is long"}]
    found = refused(422, {"reason": "Invalid", "message": "bad: is required", "details": {"causes": causes}}, "here")
    assert found.words == "bad: is required\nspec.y: is long"


def test_a_body_that_is_no_status() -> None:
    assert (
        status_of(b"<html>" + b"x" * 900)["message"].startswith("<html>x")
        and len(status_of(b"x" * 900)["message"]) == 500
    )
    assert status_of(b"[1]") == {"message": "[1]"}


def test_a_wrong_field_is_the_manifests_fault_whatever_the_server_calls_it() -> None:
    message = "failed to create typed patch object (/w; apps/v1, Kind=Deployment): .spec.replica: field not declared"
    assert true_code(500, {"message": message}) == 422 and true_code(500, {"message": "etcd"}) == 500


# -- owners of fields ------------------------------------------------------------------------------------------


def entry(manager: str, fields: dict[str, Any], operation: str = "Update", **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **more}


def test_adopting_what_kubectl_apply_has_left() -> None:
    ours = entry("sdsk8s", {"f:data": {"f:a": {}}}, "Apply")
    theirs = entry(CLIENT_SIDE, {"f:data": {"f:a": {}, "f:b": {}}})
    other = entry("helm", {"f:data": {"f:c": {}}})
    found = adopted({"metadata": {"managedFields": [ours, theirs, other]}})
    assert found == [entry("sdsk8s", {"f:data": {"f:a": {}, "f:b": {}}}, "Apply"), other]
    assert adopted({"metadata": {"managedFields": [ours, other]}}) is None
    assert adopted({"metadata": {"managedFields": [theirs]}}) is None


# -- roles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", sorted(NEEDS))
def test_a_role_is_exactly_what_the_verb_needs(verb: str) -> None:
    rules = role("ns", verb)["rules"]
    given = {(v, g, r) for rule in rules for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}
    assert given == set(NEEDS[verb])
    assert not any("*" in (*rule["verbs"], *rule["resources"]) for rule in rules)


def test_only_verbs_that_change_objects_may_and_nobody_reads_a_secrets_value_by_name() -> None:
    for verb in ("status", "logs"):
        assert {v for v, _, r in NEEDS[verb] if r != "pods/exec"} <= {"get", "list", "watch"}
    assert all(("get", "", "secrets") not in rules for rules in NEEDS.values())
    snapshot = {("list", KINDS[k].group, KINDS[k].plural) for k in SNAPSHOT}
    assert all(snapshot <= set(NEEDS[verb]) for verb in ("start", "stop", "reset", "update"))


def test_the_printed_role_is_yaml_with_the_command_that_gives_it() -> None:
    import yaml

    text = role_yaml("ns", "logs", "system:serviceaccount:ns:op")
    assert yaml.safe_load(text) == role("ns", "logs")
    assert text.endswith("create rolebinding sds-logs --role=sds-logs --serviceaccount=ns:op")
    assert role_yaml("ns", "logs", "ann").endswith("--user=ann") and role_yaml("ns", "logs", "").endswith("--user=NAME")


# -- leases ----------------------------------------------------------------------------------------------------


def lease(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {"sdsk8s/message": "stop all", "sdsk8s/run": "r1"}}, "spec": spec}


def test_lock_status() -> None:
    now = datetime(2026, 5, 1, 12, 0, 40, tzinfo=UTC)
    spec = {"holderIdentity": "ann", "leaseDurationSeconds": 30, "acquireTime": "2026-05-01T11:00:00.000000Z"}
    found = lock_status(lease(**spec, renewTime="2026-05-01T12:00:20.000000Z"), now)
    assert found is not None and (found.holder, found.message, found.run_id) == ("ann", "stop all", "r1")
    assert found.age == 20 and not found.expired and found.since.startswith("2026-05-01T11")
    old = lock_status(lease(**spec, renewTime="2026-05-01T12:00:09.000000Z"), now)
    assert old is not None and old.expired
    ahead = lock_status(lease(**spec, renewTime="2026-05-01T12:01:00.000000Z"), now)
    assert ahead is not None and ahead.age == 0 and not ahead.expired
    assert lock_status(lease(), now) is None and lock_status({"metadata": {}}, now) is None
    odd = lock_status(lease(holderIdentity="x", renewTime="yesterday"), now)
    assert odd is not None and odd.expired


# -- kinds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "sub", "expected"),
    [
        ("Pod", "p", "log", "/api/v1/namespaces/ns/pods/p/log"),
        ("Deployment", "", "", "/apis/apps/v1/namespaces/ns/deployments"),
        ("Namespace", "ns", "", "/api/v1/namespaces/ns"),
        ("StorageClass", "", "", "/apis/storage.k8s.io/v1/storageclasses"),
    ],
)
def test_paths(kind: str, name: str, sub: str, expected: str) -> None:
    assert path(KINDS[kind], "ns", name, sub) == expected


def test_discovered_kinds() -> None:
    resources = [
        {"name": "widgets", "kind": "Widget", "namespaced": True},
        {"name": "widgets/status", "kind": "Widget", "namespaced": True},
        {"name": "plants", "kind": "Plant", "namespaced": False},
    ]
    found = discovered("acme.io/v1", resources)
    assert path(found["Widget"], "ns", "a") == "/apis/acme.io/v1/namespaces/ns/widgets/a"
    assert path(found["Plant"], "ns", "b") == "/apis/acme.io/v1/plants/b" and found["Plant"].group == "acme.io"
