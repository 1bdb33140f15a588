"""A site of one tiny component, for tests about its images: seconds to build, nothing of the demo system in it."""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from conftest import BIN, Lab, System

SETUP = """\
from setuptools import setup
setup(name='core', version='1.0', packages=['core'], install_requires=['{requirement}'],
      entry_points={{'console_scripts': ['core-run = core:main']}})
"""
COMPONENT = {
    "name": "tiny",
    "title": "a tiny component",
    "verbs": ["start", "stop", "reset", "status", "update"],
    "images": {"tiny": {"dockerfile": "service", "packages": ["core"]}},
}
SAFE = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def deployment() -> dict[str, Any]:
    label = {"app.kubernetes.io/name": "tiny"}
    container = {
        "name": "tiny", "image": "sds/tiny", "command": ["sleep", "86400"], "securityContext": SAFE,
        "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}, "limits": {"memory": "64Mi"}},
    }  # fmt: skip
    spec = {
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    template = {"metadata": {"labels": label}, "spec": spec}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "tiny", "labels": label},
        "spec": {"replicas": 1, "selector": {"matchLabels": label}, "template": template},
    }  # fmt: skip


def tiny_site(lab: Lab, folder: Path, name: str, **site: Any) -> System:
    """The site, with a namespace of its name; more keys for its site.yaml. Nothing is deployed."""
    home, tree, component = folder / "home", folder / "ops", folder / "manifests/tiny"
    for path in (home, tree / "core/core", component):
        path.mkdir(parents=True)
    (home / "config").write_text("OPS_HOME: /home/ops\n")
    settings = {
        "name": name, "namespace": name, "source": str(tree), "registry": lab.registry, "engine": lab.docker_url,
        "manifests": [str(folder / "manifests")], "images": {"base": lab.base_image}, **site,
    }  # fmt: skip
    (home / "site.yaml").write_text(yaml.safe_dump(settings))
    (component / "component.yaml").write_text(yaml.safe_dump(COMPONENT))
    (component / "tiny.yaml").write_text(yaml.safe_dump(deployment()))
    require(tree, "idna>=3")
    (tree / "core/core/__init__.py").write_text("def main():\n    print('core ran')\n")
    env = {
        **os.environ, "PATH": f"{BIN}:{lab.tools}:{os.environ['PATH']}", "KUBECONFIG": lab.kubeconfig,
        "SDS_HOME": str(home), "XDG_CACHE_HOME": str(folder / "cache"),
    }  # fmt: skip
    return System(lab, home, tree, namespace=name, env=env)


def require(tree: Path, requirement: str) -> None:
    (tree / "core/setup.py").write_text(SETUP.format(requirement=requirement))


def change_code(tree: Path, line: str) -> None:
    with (tree / "core/core/__init__.py").open("a") as handle:
        handle.write(f"# {line}\n")


def layers(ref: str) -> list[str]:
    """Digests of an image's layers, asked from the registry by plain HTTP. No code of ours takes part."""
    host, _, rest = ref.partition("/")
    name, _, digest = rest.partition("@")
    repository, _, tag = name.partition(":")
    request = urllib.request.Request(
        f"http://{host}/v2/{repository}/manifests/{digest or tag}",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json, "
                           "application/vnd.oci.image.manifest.v1+json"},
    )  # fmt: skip
    with urllib.request.urlopen(request) as answer:
        return [layer["digest"] for layer in json.load(answer)["layers"]]


def remove(system: System) -> None:
    """Take the site's namespace away."""
    system.run("kubectl", "delete", "namespace", system.namespace, "--wait=false", "--ignore-not-found")
    shutil.rmtree(system.home.parent, ignore_errors=True)
