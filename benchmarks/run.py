"""`make bench`: our commands beside kubectl doing the same, in turn (A B A B ...), as ratios of medians.

Needs the demo (`make demo`): its smallest component is stopped and started. Names of benchmarks as arguments run only
those. Absolute times are of this machine; the ratios are what counts.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pod_copy
import rollouts
from sides import compare, shell
from table import PICTURE, Row, keep, table

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
COMPONENT, WORKLOAD = "metrics", "deployment/metrics-writer"


def environment() -> dict[str, str]:
    """What .demo/env exports."""
    file = ROOT / ".demo" / "env"
    if not file.exists():
        sys.exit("the demo is not there: make demo")
    env = dict(os.environ)
    for name, value in re.findall(r'export (\w+)="(.*)"', file.read_text()):
        env[name] = value.replace("$PATH", env["PATH"])
    return env


def commands() -> list[Row]:
    """The `sds` and `sdsk8s` commands themselves."""
    ns = "kubectl -n sds"
    stop_start = (
        f"{ns} scale {WORKLOAD} --replicas=0; {ns} wait --for=delete pod -l sdsk8s/component={COMPONENT} --timeout=60s;"
        f"{ns} scale {WORKLOAD} --replicas=1; {ns} rollout status {WORKLOAD}"
    )
    ours = f"{BIN}/sds stop {COMPONENT} -f; {BIN}/sds start {COMPONENT} -f"
    look = f"{ns} get deploy,sts,pods,svc,cm,jobs,pvc,pdb -l app.kubernetes.io/part-of=sds -o json"
    plan = f"{BIN}/sds stop {COMPONENT} -f --dry-run"
    asked = f"{ns} exec $pod -- supervisorctl -c /opt/sds/etc/supervisord.conf status || true"
    by_hand = f"{look} >/dev/null; for pod in $({ns} get pods -l sdsk8s/supervised=true -o name); do {asked}; done"
    version = "kubectl version --client"
    return [
        compare("sds --help", version, shell(f"{BIN}/sds --help"), shell(version), runs=15, wanted=1.2),
        compare("sdsk8s --help", version, shell(f"{BIN}/sdsk8s --help"), shell(version), runs=15, wanted=1.2),
        compare("plan of a stop", "kubectl get of what it reads", shell(plan), shell(look), runs=7, wanted=1.5),
        compare(
            "status of all",
            "kubectl get, supervisorctl in each pod",
            shell(f"{BIN}/sds status all"),
            shell(by_hand),
            runs=5,
            wanted=0.7,
        ),
        compare("stop and start", "scale, wait, rollout status", shell(ours), shell(stop_start), runs=3, wanted=None),
    ]


def copies() -> list[Row]:
    """Pod copies, with the image of a component of the demo."""
    image = subprocess.check_output(
        ["kubectl", "-n", "sds", "get", WORKLOAD, "-o", "jsonpath={.spec.template.spec.containers[0].image}"], text=True
    )
    return pod_copy.measure(image)


BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    "commands": commands,
    "pod_copy": copies,
    "rollouts": rollouts.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().only or list(BENCHMARKS)
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    os.environ.update(environment())
    rows = []
    for name in names:
        found = BENCHMARKS[name]()
        keep(name, found)
        rows += found
    print(table(rows))
    print(f"\npicture: {PICTURE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
