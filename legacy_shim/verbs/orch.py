"""`sds orch init|start|stop|logs|ps|run`: once docker-compose on each host, now the same verbs on the cluster."""

from __future__ import annotations

import copy
import dataclasses
import time
from typing import Any

from legacy_shim.console import legacy_session
from sdsk8s.errors import RefusedError, StepError, UsageError
from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.names import COMPONENT, PART_OF, WORKLOADS
from sdsk8s.model.readiness import pod_facts, pod_trouble, why_not_ready
from sdsk8s.verbs import logs as logs_verb
from sdsk8s.verbs import start as start_verb
from sdsk8s.verbs import stop as stop_verb
from sdsk8s.verbs import update as update_verb
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

CORE = "core"
"""All components but those that run jobs; what the legacy word meant."""
VERB = "orch"
LATEST = "latest"


def init(options: Options, *, component: str) -> int:
    """Render and apply configuration."""
    return _operate("update", component, options, config_only=True)


def start(options: Options, *, component: str, release: str) -> int:
    """Start. Another release is a matter of images."""
    if release != LATEST:
        raise RefusedError(
            f"orch start -r {release}: images run by digest, not by release tag",
            next="set the image in site.yaml (`images:`), or check the release out into the tree; then sds update",
        )
    return _operate("start", component, options)


def stop(options: Options, *, component: str) -> int:
    return _operate("stop", component, options)


def logs(options: Options, *, component: str, follow: bool) -> int:
    return logs_verb.run(legacy_session(options), logs_verb.Request((component,), follow=follow))


def ps(options: Options, *, component: str) -> int:
    """Pods of components: name, state, restarts, age, node."""
    session = legacy_session(options)
    rows = [("NAME", "READY", "STATE", "RESTARTS", "NODE")]
    now = session.cluster.now()
    for c in _chosen(session, component):
        for pod in session.cluster.list("Pod", c.selector()):
            facts = pod_facts(pod, now)
            state = facts.reason or str(pod["status"].get("phase") or "")
            rows.append((facts.name, "yes" if facts.ready else "no", state, str(facts.restarts), facts.node))
    session.console.print_table(rows)
    return 0


def run(options: Options, *, component: str, command: list[str]) -> int:
    """A command in a new pod made from the component's first workload; its output, and its exit code as ours."""
    session = legacy_session(options)
    component_ = session.catalogue.get(component)
    words, folder = _words(list(command))
    pod = one_off(_template(session, component_), component_.name, words, folder, session.site.namespace)
    cluster = session.cluster
    name = kube.name(cluster.create(pod))
    try:
        code = _wait(cluster, name, options.timeout)
        for line in cluster.logs(name, kube.main_containers(pod)[0]["name"]):
            session.console.print(line)
    finally:
        cluster.delete("Pod", name)
    if code != 0:
        session.console.note(f"the command ended with {code}")
    return 0 if code == 0 else 1


def one_off(template: Any, component: str, words: list[str], folder: str, namespace: str) -> dict[str, Any]:
    """A pod of the template that runs the words once. Probes and the labels that Services select are left out."""
    spec = copy.deepcopy(dict(template["spec"]))
    main = spec["containers"][0]
    for key in ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "ports"):
        main.pop(key, None)
    if words:
        main["command"], main["args"] = words, []
    if folder:
        main["workingDir"] = folder
    spec |= {"containers": [main], "restartPolicy": "Never"}
    spec.pop("topologySpreadConstraints", None)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{component}-run-",
            "namespace": namespace,
            "labels": {PART_OF: "sds", "sdsk8s/run": component},
        },
        "spec": spec,
    }


def _words(command: list[str]) -> tuple[list[str], str]:
    """(the command's words, its folder): -w DIR may stand before the command; -v has no counterpart."""
    folder = ""
    while command and command[0].startswith("-"):
        option = command.pop(0)
        if option == "--":
            break
        if option.startswith("-v") or option == "--volume":
            raise RefusedError("orch run -v: pods mount claims, not directories of this host", next="sdsk8s cp")
        if option not in ("-w", "--workdir") or not command:
            raise UsageError(
                f"unknown option of orch run: {option}", next="put -- in front of a command that begins with a dash"
            )
        folder = command.pop(0)
    return command, folder


def _template(session: Session, component: Component) -> Any:
    for kind in WORKLOADS:
        for obj in session.cluster.list(kind, f"{COMPONENT}={component.name}"):
            return obj["spec"]["template"]
    raise StepError(
        f"{component.name} is not deployed",
        target=f"namespace {session.site.namespace}",
        next=f"sds start {component.name}",
    )


def _wait(cluster: Any, name: str, timeout: float) -> int:
    """The exit code of the pod's only container. StepError when it cannot start or takes too long."""
    end = time.monotonic() + timeout
    while True:
        pod = cluster.get("Pod", name) or {}
        ended = [e for c in kube.container_statuses(pod) if (e := kube.state(c).get("terminated"))]
        if ended:
            return int(ended[0].get("exitCode", 1))
        found = pod_trouble(pod)
        # Room for a pod may still be made: that is waited for.
        stuck = found is not None and found.hopeless and found.reason != "Unschedulable"
        if not pod or stuck or kube.finished(pod) or time.monotonic() > end:
            reason, words = why_not_ready(pod)
            raise StepError(reason if stuck else "the command did not end in time", target=f"pod {name}", words=words)
        time.sleep(0.5)


def _operate(verb: str, component: str, options: Options, *, config_only: bool = False) -> int:
    if component not in ("all", CORE):
        return _run(verb, component, options, config_only)
    session = legacy_session(options)
    worst = 0
    if not options.yes and not options.dry_run:
        session.console.need_terminal(verb)
        if not session.console.confirm(verb, component):
            session.console.note("not confirmed: nothing was changed")
            return 0
        options = dataclasses.replace(options, yes=True)
    for c in _chosen(session, component):
        worst = max(worst, _run(verb, c.name, options, config_only))
    return worst


def _run(verb: str, component: str, options: Options, config_only: bool) -> int:
    session = legacy_session(options)
    if verb == "start":
        return start_verb.run(session, start_verb.Request(component))
    if verb == "stop":
        return stop_verb.run(session, stop_verb.Request(component))
    return update_verb.run(session, update_verb.Request(component, config_only))


def _chosen(session: Session, component: str) -> list[Component]:
    if component == "all":
        return [c for c in session.catalogue.select("all", VERB) if not c.stub]
    if component == CORE:
        return [c for c in session.catalogue.select("all", VERB) if not c.stub and "reset" in c.verbs]
    return [session.catalogue.get(component)]
