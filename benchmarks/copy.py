"""`python benchmarks/copy.py`: `sdsk8s cp` beside `kubectl cp`, in turn (A B A B ...), as ratios of medians.

Needs a cluster (`sdsk8s lab up`, KUBECONFIG) and an image with python3 and tar that its nodes can pull (--image; a
component image of the demo will do). Ours verifies every byte and switches at the end, theirs does neither.
Results go to benchmarks/results/copy.json too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
NS = "copy-bench"
Call = Callable[[], None]
Row = dict[str, Any]


def sh(text: str) -> None:
    subprocess.run(["bash", "-ec", text], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Bench:
    def __init__(self, image: str, folder: Path, runs: int) -> None:
        self.folder, self.runs = folder, runs
        self.rows: list[Row] = []
        home = folder / "sds"
        (home / "catalogue" / "box").mkdir(parents=True)
        (home / "config").write_text("")
        (home / "site.yaml").write_text(f"namespace: {NS}\nmanifests: [catalogue]\n")
        (home / "catalogue" / "box" / "component.yaml").write_text(
            f"name: box\nimages: {{box: {{external: {image!r}}}}}\n"
        )
        os.environ["SDS_HOME"] = str(home)
        labels = {"sdsk8s/component": "box", "app.kubernetes.io/part-of": "sds"}
        box = {
            "name": "main", "image": image, "command": ["sleep", "100000"],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }  # fmt: skip
        template = {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [box],
                     "volumes": [{"name": "data", "emptyDir": {}}]},
        }  # fmt: skip
        spec = {"replicas": 8, "selector": {"matchLabels": labels}, "template": template}
        obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "box"}, "spec": spec}
        (folder / "box.json").write_text(json.dumps(obj))
        sh(f"kubectl create namespace {NS} || true; kubectl -n {NS} apply -f {folder}/box.json")
        sh(f"kubectl -n {NS} rollout status deployment/box --timeout=180s")
        out = subprocess.run(
            ["kubectl", "-n", NS, "get", "pods", "-o", "name"], check=True, capture_output=True, text=True
        )
        self.pods = [line.removeprefix("pod/") for line in out.stdout.split()]
        self.pod = self.pods[0]

    def everywhere(self, script: str) -> None:
        sh(" & ".join(f"kubectl -n {NS} exec {p} -- sh -c '{script}'" for p in self.pods) + "; wait")

    def compare(self, name: str, ours: str, theirs: str, wanted: float, before: Call | None = None) -> None:
        """One row: medians in seconds, and the ratio of ours to theirs. before: what is not measured."""
        times: tuple[list[float], list[float]] = ([], [])
        for turn in range(self.runs + 1):
            for side, text in enumerate((ours, theirs)):
                if before:
                    before()
                start = time.perf_counter()
                sh(text)
                if turn:  # the first turn warms files and caches
                    times[side].append(time.perf_counter() - start)
        mine, other = (statistics.median(t) for t in times)
        self.rows.append({"what": name, "ours": mine, "theirs": other, "ratio": mine / other, "wanted": wanted})
        self.rows[-1] |= {"all_ours": times[0], "all_theirs": times[1]}
        print(f"{name:<46} {mine:>8.2f} {other:>8.2f} {mine / other:>7.2f}  <= {wanted}", flush=True)

    def memory(self, name: str, *argv: str) -> None:
        """One row: peak resident size of the command, in MB."""
        script = (
            "import resource,subprocess,sys;subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        done = subprocess.run([sys.executable, "-c", script, *argv], check=True, capture_output=True, text=True)
        peak = int(done.stdout) / 1000
        self.rows.append({"what": name, "peak_mb": peak, "wanted": 150})
        print(f"{name:<46} {peak:>8.0f} MB {'':>14}  < 150", flush=True)


def make_inputs(folder: Path) -> None:
    (folder / "big").write_bytes(os.urandom(200_000_000))
    for n in range(3000):
        path = folder / "tree" / f"d{n // 100}" / f"f{n}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(4000))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--huge", type=int, default=2_000_000_000, help="bytes of the copy that memory is measured with"
    )
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="copy-bench-"))
    try:
        make_inputs(folder)
        b = Bench(args.image, folder, args.runs)
        cp, kcp, pod = f"{BIN}/sdsk8s cp", f"kubectl -n {NS} cp", b.pod
        tree, big, one = folder / "tree", folder / "big", folder / "tree/d5/f555"

        def clean() -> None:
            b.everywhere("rm -rf /data/*")
            shutil.rmtree(folder / "down", ignore_errors=True)
            (folder / "down").mkdir()

        def touch() -> None:
            one.write_bytes(os.urandom(4000))

        print(f"{'what':<46} {'ours s':>8} {'theirs s':>8} {'ratio':>7}  wanted")
        b.compare("200 MB file up", f"{cp} {big} pod/{pod}:/data/a", f"{kcp} {big} {pod}:/data/b", 1.0, clean)
        sh(f"{cp} {big} pod/{pod}:/data/a")

        def fresh() -> None:
            shutil.rmtree(folder / "down", ignore_errors=True)
            (folder / "down").mkdir()

        d = folder / "down"
        b.compare("200 MB file down", f"{cp} pod/{pod}:/data/a {d}/a", f"{kcp} {pod}:/data/a {d}/b", 1.0, fresh)
        ours, theirs = f"{cp} {tree} pod/{pod}:/data/a", f"{kcp} {tree}/. {pod}:/data/b"
        b.compare("3,000 files of 4 kB, first time", ours, theirs, 1.0, clean)
        sh(f"{ours}; {theirs}")
        b.compare("the same tree, unchanged", ours, theirs, 0.3)
        b.compare("the same tree, one file changed", ours, theirs, 0.3, touch)
        ours = f"{cp} {tree} box:/data/a"
        theirs = " & ".join(f"{kcp} {tree}/. {p}:/data/b" for p in b.pods) + "; wait"
        b.compare("3,000 files to 8 pods, first time", ours, theirs, 0.5, clean)
        sh(f"{ours}; {theirs}")
        b.compare("3,000 files to 8 pods, unchanged", ours, theirs, 0.5)
        b.compare("3,000 files to 8 pods, one file changed", ours, theirs, 0.5, touch)
        clean()
        with (folder / "huge").open("wb") as file:
            file.truncate(args.huge)
        gb = f"{args.huge / 1e9:.0f} GB"
        b.memory(f"peak memory, {gb} up", str(BIN / "sdsk8s"), "cp", str(folder / "huge"), f"pod/{pod}:/data/h")
        (folder / "huge").unlink()
        b.memory(f"peak memory, {gb} down", str(BIN / "sdsk8s"), "cp", f"pod/{pod}:/data/h", str(folder / "huge"))
        out = ROOT / "results" / "copy.json"
        out.parent.mkdir(exist_ok=True)
        out.write_text(json.dumps({"runs": args.runs, "load": os.getloadavg()[0], "rows": b.rows}, indent=1) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["kubectl", "delete", "namespace", NS, "--wait=false"], check=False, capture_output=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
