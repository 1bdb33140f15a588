"""A plan as a shell script of kubectl commands: `--print-kubectl`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from sdsk8s.model import kube
from sdsk8s.model.names import FIELD_MANAGER
from sdsk8s.planner.steps import Apply, Build, Exec, Plan, Step
from sdsk8s.render.digests import pin_digests


def kubectl_script(plan: Plan, digests: Mapping[str, str]) -> list[str]:
    """One command per step, in the plan's order; what the plan does in parallel comes one after the other.

    digests {reference: digest}: images are named by digest, as in a run. A Secret's values are not printed: its
    command renders them from the site's files. A build is not a kubectl command and stays a comment.
    """
    lines = [f"# {plan.verb} {plan.target} in namespace {plan.namespace}"]
    lines += [f"# note: {note}" for note in plan.notes]
    for step in plan.steps():
        lines.append(f"# {step.title()}")
        lines += _command(step, plan.namespace, digests)
    return lines


def _command(step: Step, namespace: str, digests: Mapping[str, str]) -> list[str]:
    if isinstance(step, Build):
        return [f"#   {step.by_hand(namespace)}  # in the build context that `sdsk8s` makes"]
    if isinstance(step, Exec):
        first = "--field-selector=status.phase=Running -o name | head -n 1"
        pod = f'"$(kubectl -n {namespace} get pod -l {step.selector} {first})"'
        return [f"kubectl -n {namespace} exec {pod} -c {step.container} -- {shlex.join(step.command)}"]
    if not isinstance(step, Apply):
        return [step.by_hand(namespace)]
    kind, name = kube.kind(step.obj), kube.name(step.obj)
    where = "" if kind == "Namespace" else f" -n {namespace}"
    apply = f"kubectl{where} apply --server-side --field-manager={FIELD_MANAGER} --force-conflicts -f -"
    if kind == "Secret":
        return [f"sdsk8s render --only secret/{name} --show-secrets -o json | {apply}"]
    return [f"{apply} <<'EOF'", json.dumps(pin_digests(step.obj, digests), indent=1), "EOF"]
