"""Bundles in pods: the init step that fetches one, its volume, and what the workers import from it. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sdsk8s.errors import ConfigError
from sdsk8s.model import kube
from sdsk8s.model.bundle import ANNOTATION, DEFAULT_FOLDER, ENV, KEY_SECRET, STEP, BundleFile, BundleSpec
from sdsk8s.model.names import APPLIED, CONFIG_HASH
from sdsk8s.model.site import Site
from sdsk8s.render.context import machine_context
from sdsk8s.render.hashes import content_hash
from sdsk8s.render.template import render_text

ETC = "/opt/sds/etc"
_KEY_FOLDER = "/run/secrets/sds-bundle"
_LOGIN_FOLDER = "/run/secrets/registry"


def render_file(site: Site, spec: BundleFile, text: bytes, queue: str) -> bytes:
    """Content of one file of a bundle, for workers on virtual machines.

    Raises ConfigError for a template with a fault, and for a secret value in a file that is not declared secret.
    """
    if not spec.raw:
        values = {**machine_context(site), "queue": queue}
        text = render_text(text.decode(), values, spec.templates[0]).encode()
    if not spec.secret:
        for key, value in site.secret_values().items():
            if value.encode() in text:
                raise ConfigError(
                    f"the value of {key} would be readable in the bundle",
                    target=f"{spec.path} (template {spec.templates[0]})",
                    next=f'set "secret: true" for {spec.path} in the bundle of component.yaml',
                )
    return text


def with_bundle(template: dict[str, Any], spec: BundleSpec, ref: str) -> None:
    """Make the pods of a template fetch the bundle `ref` before they start, and import its packages first.

    Their mounted configuration still comes before the bundle's own.
    """
    pod = template["spec"]
    worker = pod["containers"][0]
    step: dict[str, Any] = {
        "name": STEP,
        "image": worker["image"],
        "command": ["sds-fetch-bundle", "--into", DEFAULT_FOLDER],
        "env": [{"name": ENV, "value": ref}],
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi", "ephemeral-storage": "16Mi"},
            "limits": {"memory": "512Mi", "ephemeral-storage": "4Gi"},
        },
        "securityContext": copy.deepcopy(worker.get("securityContext", {})),
        "volumeMounts": [
            {"name": STEP, "mountPath": DEFAULT_FOLDER},
            {"name": "bundle-key", "mountPath": _KEY_FOLDER, "readOnly": True},
        ],
    }
    # Only encrypted bundles need the key; the Secret is there once one was shipped.
    key = {"secretName": KEY_SECRET, "optional": True, "defaultMode": 0o440}
    volumes = [{"name": STEP, "emptyDir": {"sizeLimit": "4Gi"}}, {"name": "bundle-key", "secret": key}]
    for login in (pod.get("imagePullSecrets") or ())[:1]:
        step["env"].append({"name": "DOCKER_CONFIG", "value": _LOGIN_FOLDER})
        step["volumeMounts"].append({"name": "bundle-login", "mountPath": _LOGIN_FOLDER, "readOnly": True})
        items = [{"key": ".dockerconfigjson", "path": "config.json"}]
        volumes.append({"name": "bundle-login", "secret": {"secretName": login["name"], "items": items}})
    pod["initContainers"] = [step, *pod.get("initContainers", ())]
    pod["volumes"] = [*pod.get("volumes", ()), *volumes]
    mount = {"name": STEP, "mountPath": DEFAULT_FOLDER, "readOnly": True}
    worker["volumeMounts"] = [*worker.get("volumeMounts", ()), mount]
    path = ":".join([ETC, *(f"{DEFAULT_FOLDER}/code/{package}" for package in spec.imported)])
    env = [e for e in worker.get("env", ()) if e["name"] not in ("PYTHONPATH", ENV)]
    tag = tag_of(ref)
    worker["env"] = [*env, {"name": "PYTHONPATH", "value": path}, {"name": ENV, "value": tag}]
    template.setdefault("metadata", {}).setdefault("annotations", {})[ANNOTATION] = tag


def tag_of(ref: str) -> str:
    """The bundle's id, as people see it."""
    return ref.partition("@")[0].rpartition(":")[2]


def keep_configuration(obj: dict[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a rendered workload that keeps the live configuration hash: shipping code delivers no configuration,
    and the next update must still see that there is some to deliver."""
    clone = copy.deepcopy(obj)
    old = kube.annotations(kube.pod_template(live)).get(CONFIG_HASH)
    notes = clone["spec"]["template"]["metadata"].setdefault("annotations", {})
    notes.pop(CONFIG_HASH, None)
    if old is not None:
        notes[CONFIG_HASH] = old
    clone["metadata"]["annotations"][APPLIED] = content_hash(clone)
    return clone
