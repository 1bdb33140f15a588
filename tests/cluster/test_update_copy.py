"""`update --copy`: the site's code in running pods, seen to run, marked, and gone with the pod."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from conftest import BIN, Lab, System, eventually

NS = "update-copy-test"
BOX = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
USER = {"runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}
TOY = """import signal, sys, time, toy.words
signal.signal(15, lambda *a: sys.exit(0))
while True:
    print(toy.words.SAY, flush=True)
    time.sleep(0.5)
"""


@pytest.fixture(scope="module")
def toy(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> System:
    folder = tmp_path_factory.mktemp("toy")
    package = folder / "ops" / "toy" / "toy"
    package.mkdir(parents=True)
    (folder / "ops/toy/setup.py").write_text("from setuptools import setup\nsetup(name='toy', packages=['toy'])\n")
    (package / "__init__.py").write_text("")
    (package / "words.py").write_text("SAY = 'first'\n")
    (package / "gone.py").write_text("")
    (package / "__main__.py").write_text(TOY)
    home, catalogue = folder / "sds", folder / "sds" / "catalogue" / "toy"
    catalogue.mkdir(parents=True)
    (home / "config").write_text("")
    site = {
        "namespace": NS, "source": str(folder / "ops"), "registry": lab.registry, "engine": lab.docker_url,
        "manifests": ["catalogue"], "images": {"base": lab.base_image}, "components": {"toy": {"develop": False}},
    }  # fmt: skip
    (home / "site.yaml").write_text(yaml.safe_dump(site))
    (catalogue / "component.yaml").write_text("name: toy\nimages: {toy: {dockerfile: service, packages: [toy]}}\n")
    label = {"app.kubernetes.io/name": "toy-app"}
    main = {"name": "main", "image": "sds/toy", "command": ["python", "-m", "toy"], "securityContext": BOX}
    spec = {
        "terminationGracePeriodSeconds": 1, "containers": [main],
        "securityContext": {**USER, "seccompProfile": {"type": "RuntimeDefault"}},
    }  # fmt: skip
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "toy-app", "labels": label},
        "spec": {
            "replicas": 2, "selector": {"matchLabels": label},
            "template": {"metadata": {"labels": label}, "spec": spec},
        },
    }  # fmt: skip
    (catalogue / "toy.yaml").write_text(yaml.safe_dump(deployment))
    env = {**os.environ, "PATH": f"{BIN}:{lab.tools}:{os.environ['PATH']}", "KUBECONFIG": lab.kubeconfig}
    return System(lab, home, folder / "ops", NS, {**env, "SDS_HOME": str(home)})


def says(toy: System) -> set[str]:
    """The last line of each running pod."""
    pods = [p for p in toy.pods("sdsk8s/component=toy") if not p["metadata"].get("deletionTimestamp")]
    return {toy.kubectl("logs", p["metadata"]["name"], "--tail=1", ok=False).out.strip() for p in pods}


def test_the_development_loop(toy: System) -> None:
    toy.sdsk8s("start", "toy", "--yes")
    refused = toy.sdsk8s("update", "toy", "--copy", "--yes", ok=False)
    assert refused.code == 4 and "develop: true" in refused.err

    site = toy.home / "site.yaml"
    site.write_text(site.read_text().replace("develop: false", "develop: true"))
    toy.sdsk8s("update", "toy", "--yes")
    assert says(toy) == {"first"}
    assert "nothing to do" in toy.sdsk8s("update", "toy", "--copy", "--yes").out, "the seeded code is the tree's"

    words = Path(toy.tree) / "toy/toy/words.py"
    words.write_text("SAY = 'second'\n")
    (words.parent / "gone.py").unlink()
    assert "toy/toy/words.py" in toy.sdsk8s("update", "toy", "--copy", "--dry-run").out
    assert says(toy) == {"first"} and "drifted" not in toy.sdsk8s("status", "toy", ok=False).out
    toy.sdsk8s("update", "toy", "--copy", "--yes")
    eventually(lambda: says(toy) == {"second"})
    eventually(lambda: toy.sdsk8s("status", "toy", ok=False).code == 0)
    shown = toy.sdsk8s("status", "toy")
    assert shown.out.count("drifted: /opt/sds/ops copied over the image") == 2
    assert toy.sdsk8s("status", "toy", "-o", "json").json["components"][0]["workloads"][0]["pods"][0]["drift"]
    pod = toy.pods("sdsk8s/component=toy")[0]["metadata"]["name"]
    listed = toy.kubectl("exec", pod, "--", "ls", "-A", "/opt/sds/ops", "/opt/sds/ops/toy/toy").out
    assert "gone.py" not in listed and ".sds-cp" not in listed

    toy.kubectl("delete", "pod", "-l", "sdsk8s/component=toy")
    toy.kubectl("rollout", "status", "deployment/toy-app", "--timeout=120s")
    eventually(lambda: says(toy) == {"first"})
    assert "drifted" not in toy.sdsk8s("status", "toy").out
    toy.kubectl("delete", "namespace", NS, "--wait=false")
