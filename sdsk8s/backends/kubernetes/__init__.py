"""The only room that imports the `kubernetes` library.

connect(context, kubeconfig, namespace) -> Cluster     get list watch logs apply create replace patch scale delete
snapshot(cluster) -> {kind: {name: object}}            everything of ours, Secret values dropped
wait(cluster, [RolloutReady | Gone | JobDone], timeout, on_change)
exec_(cluster, pod, container, argv) -> ExecResult
Lock(cluster, name, holder, message)                   a Lease that expires
review, doctor_checks                                  permissions and health
"""

from __future__ import annotations

from sdsk8s.backends.kubernetes.access import Check, doctor_checks, review
from sdsk8s.backends.kubernetes.api import ApiError, Cluster, connect
from sdsk8s.backends.kubernetes.exec import ExecResult, exec_
from sdsk8s.backends.kubernetes.informer import Informer
from sdsk8s.backends.kubernetes.leases import Lock, LockStatus
from sdsk8s.backends.kubernetes.snapshot import snapshot
from sdsk8s.backends.kubernetes.verdict import Gone, JobDone, RolloutReady
from sdsk8s.backends.kubernetes.wait import SELECTOR, wait

__all__ = [
    "SELECTOR",
    "ApiError",
    "Check",
    "Cluster",
    "ExecResult",
    "Gone",
    "Informer",
    "JobDone",
    "Lock",
    "LockStatus",
    "RolloutReady",
    "connect",
    "doctor_checks",
    "exec_",
    "review",
    "snapshot",
    "wait",
]
