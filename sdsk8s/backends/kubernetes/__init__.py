"""The only room that imports the `kubernetes` library.

connect(context, kubeconfig, namespace) -> Cluster     get list watch logs apply create replace patch scale delete
                                                       conflicts proxy_get within version now
snapshot(cluster) -> {kind: {name: object}}            everything of ours, of Secrets metadata alone
wait(cluster, [RolloutReady | Gone | JobDone], timeout, on_change, informer=, cancelled=)
Informer(cluster, selector)                            the watches that several waits share
exec_(cluster, pod, container, argv, stdin, timeout) -> ExecResult(code, stdout, stderr, cut)
forward(cluster, service, port) -> context with "127.0.0.1:PORT"
Lock(cluster, name, holder, message, on_lost=)         a Lease that expires
review, doctor_checks                                  permissions and health
foreign_fields(object)                                 what other tools or hands have set on it
autoscalers(cluster)                                   what else sets replicas
revisions, load_revision, save_revision                what was rolled out: history and undo
free_stuck_pods(cluster, name, timeout)                of a StatefulSet that waits for a bad revision

Everything fails with ClusterError; ApiError (a ClusterError) has the HTTP code and the conflicts of an apply.
"""

from __future__ import annotations

from sdsk8s.backends.kubernetes.access import review
from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.autoscalers import autoscalers
from sdsk8s.backends.kubernetes.connect import connect
from sdsk8s.backends.kubernetes.doctor import Check, doctor_checks
from sdsk8s.backends.kubernetes.exec import ExecResult, exec_
from sdsk8s.backends.kubernetes.failures import ApiError, FieldConflict
from sdsk8s.backends.kubernetes.forward import forward
from sdsk8s.backends.kubernetes.history import load_revision, revisions, save_revision
from sdsk8s.backends.kubernetes.informer import Informer
from sdsk8s.backends.kubernetes.leases import Lock, LockStatus, lock_version
from sdsk8s.backends.kubernetes.ownership import foreign_fields
from sdsk8s.backends.kubernetes.snapshot import snapshot
from sdsk8s.backends.kubernetes.unstick import free_stuck_pods
from sdsk8s.backends.kubernetes.verdict import Gone, JobDone, RolloutReady
from sdsk8s.backends.kubernetes.wait import SELECTOR, wait

__all__ = [
    "SELECTOR", "ApiError", "Check", "Cluster", "ExecResult", "FieldConflict", "Gone", "Informer", "JobDone", "Lock",
    "LockStatus", "RolloutReady", "autoscalers", "connect", "doctor_checks", "exec_", "foreign_fields", "forward",
    "free_stuck_pods", "load_revision", "lock_version", "review", "revisions", "save_revision", "snapshot", "wait",
]  # fmt: skip
