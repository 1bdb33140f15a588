"""`sds update` and `sdsk8s restart` beside the commands that an operator would type for the same.

Of the demo, whose pods get new images and are put back at the end. By itself: `python benchmarks/rollouts.py`, with the
environment of .demo/env.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from sides import Call, compare, shell
from table import Row, publish

from sdsk8s.backends.docker import context, kinds
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

BIN = Path(sys.executable).parent
COMPONENT, PACKAGE = "metrics", "indexer"
"""What is updated: the smallest component, where our own time weighs most, and a package of its image."""
LINE = "ROLLOUT = "


def measure(updates: int = 5, restarts: int = 3) -> list[Row]:
    """On the cluster of KUBECONFIG with the site of SDS_HOME. Numbers of turns."""
    session = Session(Options())
    return [update(session, updates), restart_all(session.site.namespace, restarts)]


def restart_all(namespace: str, runs: int) -> Row:
    """The workloads are those that ours restarts, by kind and name."""
    restart = f"{BIN}/sdsk8s restart all --yes"
    plan = json.loads(subprocess.check_output([*restart.split(), "--dry-run", "-o", "json"], text=True))
    names = [f"{kind}/{name}".lower() for kind, name in _restarted(plan)]
    kubectl = f"kubectl -n {namespace} rollout"
    script = 'pids=; for w in {names}; do {kubectl} {verb} $w & pids+=" $!"; done; for p in $pids; do wait $p; done'
    by_hand = "\n".join(
        script.format(names=" ".join(names), kubectl=kubectl, verb=verb) for verb in ("restart", "status")
    )
    return compare(
        f"restart of all components ({len(names)} workloads)", "kubectl rollout restart, status, in parallel",
        shell(restart), shell(by_hand), runs=runs, wanted=1.1, before=lambda: time.sleep(5),
    )  # fmt: skip


def _restarted(plan: object) -> list[tuple[str, str]]:
    """(kind, name) of every Restart step, wherever it is in the plan."""
    found = []
    if isinstance(plan, dict):
        if plan.get("type") == "restart":
            found.append((plan["kind"], plan["name"]))
        plan = list(plan.values())
    if isinstance(plan, list):
        found += [pair for part in plan for pair in _restarted(part)]
    return found


def update(session: Session, runs: int) -> Row:
    """Of one changed line. After every turn a pod is asked for it: a wait that ends early would look fast."""
    with tempfile.TemporaryDirectory(prefix="rollouts-") as folder:
        both = Sides(session, Path(folder))
        try:
            return compare(
                f"one-line change of {COMPONENT} until it serves", "docker build, push, set image, rollout status",
                both.ours(), both.by_hand(), runs=runs, wanted=1.15, before=both.change,
            )  # fmt: skip
        finally:
            both.put_back()


class Sides:
    """The site's own tree, and a folder for `docker build` with the same Dockerfile and the same packages."""

    def __init__(self, session: Session, folder: Path) -> None:
        self.namespace = session.site.namespace
        self.turn, self.asked = 0, False
        component = session.catalogue.get(COMPONENT)
        (self.image,) = component.images
        self.workloads = [o for o in component.manifests if o["kind"] in ("Deployment", "StatefulSet")]
        source = Path(session.site.source)
        self.module = source / PACKAGE / PACKAGE / "__init__.py"
        self.text = self.module.read_text()
        self.copy = folder / "packages" / PACKAGE / PACKAGE / "__init__.py"
        self.build = self._lay_out(session, source, folder)
        self.ref = f"{session.site.registry}/by-hand/{self.image}"
        self.env = {**os.environ, "DOCKER_HOST": session.images.engine.url, "DOCKER_BUILDKIT": "0"}

    def _lay_out(self, session: Session, source: Path, folder: Path) -> str:
        """The command that builds there."""
        workshop, spec = session.images.workshop, session.images.spec(self.image)
        kind = kinds.load_kind(workshop.dockerfiles, spec.dockerfile)
        recipe: dict[str, Path | bytes] = dict(context.recipe_files(workshop.dockerfiles, kind))
        files = context.source_files(source, spec.packages)
        with (
            context.make_context(recipe, files, spec.links, workshop.net.files) as content,
            tarfile.open(fileobj=content) as tar,
        ):
            tar.extractall(folder, filter="data")
        args = {**workshop.args(spec), kind.parent: session.images.base_ref, **workshop.net.proxies}
        given = " ".join(f"--build-arg '{name}={value}'" for name, value in args.items())
        return f"docker build -q --network host --target {kind.target} {given} {folder}"

    def change(self) -> None:
        """Another line, on both sides."""
        if self.asked:
            self.check()
        self.turn += 1
        line = f"{LINE}{time.time_ns()}\n"
        for path in (self.module, self.copy):
            path.write_text(self.text + line)

    def check(self) -> None:
        """Every workload runs the line that was written last."""
        for w in self.workloads:
            look = f"import {PACKAGE}; print({PACKAGE}.{LINE.split()[0]})"
            name = f"{w['kind']}/{w['metadata']['name']}".lower()
            argv = ["kubectl", "-n", self.namespace, "exec", name, "--", "python3", "-c", look]
            found = subprocess.run(argv, check=False, capture_output=True, text=True)
            if found.stdout != self.copy.read_text().rpartition(LINE)[2]:
                sys.exit(f"{name} serves other code than was rolled out: {found.stdout}{found.stderr}")

    def ours(self) -> Call:
        run = shell(f"{BIN}/sds update {COMPONENT} -f")

        def call() -> None:
            run()
            self.asked = True

        return call

    def by_hand(self) -> Call:
        def call() -> None:
            ref = f"{self.ref}:{self.turn}-{os.getpid()}"
            lines = [f"{self.build} -t {ref}", f"docker push -q {ref}"]
            names = [f"{w['kind']}/{w['metadata']['name']}".lower() for w in self.workloads]
            lines += [f"kubectl -n {self.namespace} set image {name} '*={ref}'" for name in names]
            lines += [f"kubectl -n {self.namespace} rollout status {name}" for name in names]
            shell("\n".join(lines), self.env)()

        return call

    def put_back(self) -> None:
        self.module.write_text(self.text)
        shell(f"{BIN}/sds update {COMPONENT} -f")()


def main() -> int:
    publish("rollouts", measure())
    return 0


if __name__ == "__main__":
    sys.exit(main())
