"""`make bench`: our commands beside kubectl doing the same, in turn (A B A B ...), as ratios of medians.

Needs the demo (`make demo`): the second half stops and starts its smallest component. Absolute times are of this
machine; the ratios are what counts.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

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


ENV: dict[str, str] = {}


def command(*argv: str) -> Callable[[], None]:
    def call() -> None:
        subprocess.run(argv, env=ENV, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return call


def script(text: str) -> Callable[[], None]:
    return command("bash", "-ec", text)


def compare(name: str, ours: Callable[[], None], theirs: Callable[[], None], runs: int, target: float | None) -> str:
    """One row: medians in seconds, and the ratio of ours to theirs."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(runs + 1):
        for side, call in enumerate((ours, theirs)):
            start = time.perf_counter()
            call()
            if turn:  # the first turn warms files and caches
                times[side].append(time.perf_counter() - start)
    mine, other = (statistics.median(t) for t in times)
    wanted = f"<= {target}" if target else "-"
    return f"{name:<46} {mine:>8.2f} {other:>8.2f} {mine / other:>7.2f}  {wanted}"


def main() -> int:
    ENV.update(environment())
    ns = "kubectl -n sds"
    stop_start = (
        f"{ns} scale {WORKLOAD} --replicas=0; {ns} wait --for=delete pod -l sdsk8s/component={COMPONENT} --timeout=60s;"
        f"{ns} scale {WORKLOAD} --replicas=1; {ns} rollout status {WORKLOAD}"
    )
    ours = f"{BIN}/sds stop {COMPONENT} -f; {BIN}/sds start {COMPONENT} -f"
    look = f"{ns} get deploy,sts,pods,svc,cm,jobs,pvc,pdb -l app.kubernetes.io/part-of=sds -o json"
    print(f"{'what':<46} {'ours s':>8} {'theirs s':>8} {'ratio':>7}  wanted")
    help_ = command("kubectl", "version", "--client")
    print(compare("sds --help / kubectl version --client", command(f"{BIN}/sds", "--help"), help_, 15, 1.2))
    print(compare("sdsk8s --help / kubectl version --client", command(f"{BIN}/sdsk8s", "--help"), help_, 15, 1.2))
    plan = command(f"{BIN}/sds", "stop", COMPONENT, "-f", "--dry-run")
    print(compare("plan of a stop / kubectl get of what it reads", plan, script(look), 7, None))
    print(compare("stop and start / scale, wait, rollout status", script(ours), script(stop_start), 3, None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
