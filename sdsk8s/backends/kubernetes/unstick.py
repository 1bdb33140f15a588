"""Frees a StatefulSet from a bad revision.

Its controller never replaces a pod that has not become ready: after the template is back, such a pod is still in the
way and only its deletion lets the good revision in.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.errors import Interrupted, WaitError
from sdsk8s.model import kube
from sdsk8s.model.rollout import change_seen, obsolete_pods


def free_stuck_pods(
    cluster: Cluster, name: str, timeout: float, cancelled: Callable[[], bool] = lambda: False
) -> list[str]:
    """Delete the pods of StatefulSet `name` that are of another than its newest revision and not ready; their names.

    Waits first until the controller has seen the newest template, since only then it is known which pods are old.
    """
    deadline = time.monotonic() + timeout
    while True:
        obj = cluster.get("StatefulSet", name)
        if obj is None:
            return []
        if change_seen(obj):
            break
        if cancelled():
            raise Interrupted("interrupted while waiting", target=f"StatefulSet/{name}")
        if time.monotonic() > deadline:
            raise WaitError(
                f"the controller has not seen the change within {timeout:.0f} s", target=f"StatefulSet/{name}"
            )
        time.sleep(0.2)
    pods = cluster.list("Pod", kube.selector_text(obj))
    names = [kube.name(p) for p in obsolete_pods(obj, pods)]
    for pod in names:
        cluster.delete("Pod", pod)
    return names
