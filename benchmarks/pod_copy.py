"""`sdsk8s cp` beside `kubectl cp`. Ours compares, checks every byte by sha256 and switches at the end, theirs does not.

By itself: `python benchmarks/pod_copy.py --image IMAGE` on the cluster of KUBECONFIG; IMAGE has python3 and tar (any
component image of the demo will do) and is one that the nodes can pull.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sides import Call, compare, note, shell
from table import Row, publish

BIN = Path(sys.executable).parent
NS = "copy-bench"
PODS = 8
FILES = 3000


def measure(image: str, runs: int = 5, huge: int = 2_000_000_000) -> list[Row]:
    """huge: bytes of the copy that memory is measured with. Makes its own namespace and ends it."""
    folder = Path(tempfile.mkdtemp(prefix="copy-bench-"))
    try:
        make_inputs(folder)
        box = Box(image, folder)
        return [*_files(box, runs), *_trees(box, runs), *_memory(box, huge)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["kubectl", "delete", "namespace", NS, "--wait=false"], check=False, capture_output=True)


class Box:
    """Eight pods with an empty volume, and the files to copy."""

    def __init__(self, image: str, folder: Path) -> None:
        self.folder = folder
        home = folder / "sds"
        (home / "catalogue" / "box").mkdir(parents=True)
        (home / "config").write_text("")
        (home / "site.yaml").write_text(f"namespace: {NS}\nmanifests: [catalogue]\n")
        (home / "catalogue" / "box" / "component.yaml").write_text(
            f"name: box\nimages: {{box: {{external: {image!r}}}}}\n"
        )
        self.env = {**os.environ, "SDS_HOME": str(home), "TURN": "0"}
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed command has its bytecode
        labels = {"sdsk8s/component": "box", "app.kubernetes.io/part-of": "sds"}
        container = {
            "name": "main", "image": image, "command": ["sleep", "100000"],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }  # fmt: skip
        template = {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [container],
                     "volumes": [{"name": "data", "emptyDir": {}}]},
        }  # fmt: skip
        spec = {"replicas": PODS, "selector": {"matchLabels": labels}, "template": template}
        obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "box"}, "spec": spec}
        (folder / "box.json").write_text(json.dumps(obj))
        self.sh(f"kubectl create namespace {NS} || true; kubectl -n {NS} apply -f {folder}/box.json")
        self.sh(f"kubectl -n {NS} rollout status deployment/box --timeout=180s")
        found = subprocess.check_output(["kubectl", "-n", NS, "get", "pods", "-o", "name"], text=True)
        self.pods = [line.removeprefix("pod/") for line in found.split()]
        self.pod = self.pods[0]

    def call(self, text: str) -> Call:
        return shell(text, self.env)

    def sh(self, text: str) -> None:
        self.call(text)()

    def elsewhere(self) -> None:
        """The next copy goes to a new folder: a file system that has just deleted thousands of files makes new ones
        slowly, which would be measured instead."""
        self.env["TURN"] = str(int(self.env["TURN"]) + 1)

    def clean(self) -> None:
        """Nothing is there, on neither side."""
        self.sh(" & ".join(f"kubectl -n {NS} exec {p} -- sh -c 'rm -rf /data/*'" for p in self.pods) + "; wait")
        self.fresh()

    def fresh(self) -> None:
        shutil.rmtree(self.folder / "down", ignore_errors=True)
        (self.folder / "down").mkdir()


def make_inputs(folder: Path) -> None:
    (folder / "big").write_bytes(os.urandom(200_000_000))
    for n in range(FILES):
        path = folder / "tree" / f"d{n // 100}" / f"f{n}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(4000))


CP, KCP = f"{BIN}/sdsk8s cp", f"kubectl -n {NS} cp"


def _files(box: Box, runs: int) -> list[Row]:
    big, down, pod = box.folder / "big", box.folder / "down", box.pod
    up = compare(
        "200 MB file up, verified", "kubectl cp",
        box.call(f"{CP} {big} pod/{pod}:/data/a"), box.call(f"{KCP} {big} {pod}:/data/b"),
        runs=runs, wanted=1.0, before=box.clean, megabytes=200,
    )  # fmt: skip
    box.sh(f"{CP} {big} pod/{pod}:/data/a")
    back = compare(
        "200 MB file down, verified", "kubectl cp",
        box.call(f"{CP} pod/{pod}:/data/a {down}/a"), box.call(f"{KCP} {pod}:/data/a {down}/b"),
        runs=runs, wanted=1.0, before=box.fresh, megabytes=200,
    )  # fmt: skip
    return [up, back]


def _trees(box: Box, runs: int) -> list[Row]:
    tree, one = box.folder / "tree", box.folder / "tree/d5/f555"

    def touch() -> None:
        one.write_bytes(os.urandom(4000))

    def every(to: str) -> str:
        return " & ".join(f"{KCP} {tree}/. {p}:/data/{to}" for p in box.pods) + "; wait"

    def one_pod(to: str) -> str:
        return f"{KCP} {tree}/. {box.pod}:/data/{to}"

    rows = []
    for what, against, target, theirs, first, again in (
        ("3,000 files of 4 kB", "kubectl cp", f"pod/{box.pod}", one_pod, 1.0, 0.3),
        (f"3,000 files to {PODS} pods", f"{PODS} kubectl cp in parallel", "box", every, 0.5, 0.5),
    ):
        mine, other = box.call(f"{CP} {tree} {target}:/data/a$TURN"), box.call(theirs("b$TURN"))
        rows.append(compare(f"{what}, first time", against, mine, other, runs=runs, wanted=first, before=box.elsewhere))
        mine(), other()
        rows.append(compare(f"{what}, unchanged", against, mine, other, runs=runs, wanted=again))
        rows.append(compare(f"{what}, one changed", against, mine, other, runs=runs, wanted=again, before=touch))
    box.clean()
    return rows


def _memory(box: Box, huge: int) -> list[Row]:
    file, there = box.folder / "huge", f"pod/{box.pod}:/data/h"
    with file.open("wb") as new:
        new.truncate(huge)
    up = _peak(f"peak memory, {huge / 1e9:g} GB up", box, str(file), there)
    file.unlink()
    return [up, _peak(f"peak memory, {huge / 1e9:g} GB down", box, there, str(file))]


def _peak(work: str, box: Box, src: str, dst: str) -> Row:
    """Peak resident size of the command."""
    script = (
        "import resource,subprocess,sys;subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    argv = [sys.executable, "-c", script, f"{BIN}/sdsk8s", "cp", src, dst]
    found = subprocess.check_output(argv, text=True, env=box.env, stderr=subprocess.DEVNULL)
    row = Row(work, "", int(found) / 1000, None, 150, "MB")
    note(row)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--huge", type=int, default=2_000_000_000, help="bytes of the copy that memory is measured with"
    )
    args = parser.parse_args()
    publish("pod_copy", measure(args.image, args.runs, args.huge))
    return 0


if __name__ == "__main__":
    sys.exit(main())
