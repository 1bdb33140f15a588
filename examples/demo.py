"""`make demo`: from a bare machine to a running science data system, in the words that an operator would type.

Everything it makes is under .demo/ (and the lab's own state); it never touches ~/.sds or ~/.kube. Run it again at
any time: what is already there is kept.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "examples" / "demo-site"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo")
    parser.add_argument("--lab", default="default", help="name of the lab")
    parser.add_argument("--nodes", type=int, default=None)
    parser.add_argument("--prepare-only", action="store_true", help="lab and site folder, no components")
    parser.add_argument("--svg", type=Path, help="write a picture of the last part of the run")
    args = parser.parse_args()
    demo = Demo(args.folder.resolve(), args.lab)
    demo.lab_up(args.nodes)
    demo.prepare()
    if args.prepare_only:
        return 0
    return demo.run(args.svg)


class Demo:
    def __init__(self, folder: Path, lab: str) -> None:
        self.folder = folder
        self.lab = lab
        self.bin = Path(sys.executable).parent
        self.times: list[tuple[str, float]] = []
        self.shown: list[str] = []

    def lab_up(self, nodes: int | None) -> None:
        extra = ["--nodes", str(nodes)] if nodes else []
        self.type(["sdsk8s", "lab", "up", "--name", self.lab, *extra])

    def prepare(self) -> None:
        """The site folder, the tree and the file to source; nothing that exists is overwritten."""
        facts = json.loads(self.quiet(["sdsk8s", "lab", "status", "--name", self.lab, "-o", "json"]))
        self.folder.mkdir(exist_ok=True)
        home, tree = self.folder / "sds", self.folder / "ops"
        if not tree.exists():
            shutil.copytree(SITE / "ops", tree, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        if not home.exists():
            fresh = self.folder / "sds.new"
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(SITE / "sds", fresh)
            self._fill_secrets(fresh / "config")
            fresh.rename(home)
        site = {
            "name": "demo",
            "namespace": "sds",
            "source": str(tree),
            "registry": facts["registry"],
            "engine": facts["docker"],
            "images": {"base": facts["base_image"]},
        }
        (home / "site.yaml").write_text(yaml.safe_dump(site, sort_keys=False))
        env = {
            "PATH": f"{self.bin}:{facts['tools']}:$PATH",
            "KUBECONFIG": facts["kubeconfig"],
            "SDS_HOME": str(home),
        }
        (self.folder / "env").write_text("".join(f'export {k}="{v}"\n' for k, v in env.items()))
        os.environ.update(KUBECONFIG=facts["kubeconfig"], SDS_HOME=str(home))
        os.environ["PATH"] = f"{self.bin}:{facts['tools']}:{os.environ['PATH']}"

    def run(self, svg: Path | None) -> int:
        ok = self.type(["sds", "update", "all", "-f"])
        ok = ok and self.type(["sds", "start", "all", "-f"])
        ok = ok and self.type(["sdsk8s", "start", "all", "--yes"])
        ok = ok and self.type(["sds", "status", "all"], show=True)
        ok = ok and self.type([sys.executable, str(SITE / "smoke.py"), *self.urls()], show=True, name="smoke.py")
        self.summary()
        if svg and ok:
            job = self.shown[2:]
            self.shown = []
            self.type(["sds", "status", "mozart"], show=True)
            self.shown += job
            self.picture(svg)
        return 0 if ok else 1

    def urls(self) -> list[str]:
        """Addresses of the two REST APIs on a node port."""
        node = self.quiet(["kubectl", "get", "nodes", "-o", "jsonpath={.items[0].status.addresses[0].address}"])
        out = []
        for option, service in (("--mozart", "mozart"), ("--grq", "grq")):
            port = self.quiet(
                ["kubectl", "-n", "sds", "get", "service", service, "-o", "jsonpath={.spec.ports[0].nodePort}"]
            )
            out += [option, f"http://{node}:{port}"]
        return out

    def type(self, argv: list[str], *, show: bool = False, name: str = "") -> bool:
        """Run a command as a person would see it; its time goes into the table."""
        words = " ".join([name, *argv[2:]] if name else argv)
        print(f"\n$ {words}", flush=True)
        start = time.monotonic()
        if show:
            env = {**os.environ, "SDS_COLOR": "always"}
            done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, env=env, check=False)
            print(done.stdout, end="", flush=True)
            self.shown += [f"$ {words}", done.stdout]
        else:
            done = subprocess.run([str(self.bin / argv[0]), *argv[1:]], text=True, check=False)
        self.times.append((words if len(words) < 60 else words[:57] + "...", time.monotonic() - start))
        if done.returncode != 0:
            print(f"this command ended with {done.returncode}; the remaining steps are skipped", file=sys.stderr)
        return done.returncode == 0

    def quiet(self, argv: list[str]) -> str:
        command = self.bin / argv[0]
        done = subprocess.run(
            [str(command) if command.exists() else argv[0], *argv[1:]], stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    def summary(self) -> None:
        print("\nmeasured in this run:")
        for words, seconds in self.times:
            print(f"  {seconds:7.1f} s  {words}")
        sizes = subprocess.run([str(self.bin / "sdsk8s"), "images", "ls"], check=False)
        if sizes.returncode != 0:
            print("image sizes could not be read", file=sys.stderr)
        print(
            "\nTry next:\n"
            f"  . {os.path.relpath(self.folder / 'env')}\n"
            "  sds status\n"
            "  sds stop factotum          # asks first; a running job is finished\n"
            "  sds start factotum -f\n"
            "  sds update mozart -f --dry-run   # what would happen\n"
            "  sdsk8s logs -f mozart\n"
            "  make test                  # a lab of its own; this one is not touched\n"
            "  sdsk8s lab down --purge    # removes everything of this lab"
        )

    def picture(self, svg: Path) -> None:
        from rich.console import Console
        from rich.text import Text

        with open(os.devnull, "w") as sink:
            console = Console(record=True, width=125, file=sink, force_terminal=True)
            for part in self.shown:
                console.print(Text.from_ansi(part.rstrip("\n")))
            console.save_svg(str(svg), title="sds on Kubernetes")

    @staticmethod
    def _fill_secrets(config: Path) -> None:
        """Every `@generated@` becomes a random password; equal keys of one store share one."""
        shared = base64.b32encode(secrets.token_bytes(15)).decode().lower()
        text = config.read_text()
        lines = []
        for line in text.splitlines():
            if "@generated@" in line:
                value = shared if "REDIS" in line else base64.b32encode(secrets.token_bytes(15)).decode().lower()
                line = line.replace("@generated@", value)
            lines.append(line)
        config.write_text("\n".join(lines) + "\n")
        config.chmod(0o600)


if __name__ == "__main__":
    sys.exit(main())
